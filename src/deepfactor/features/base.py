"""`Features`: daily inputs of the models, before windows and scaling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Bools, Bytes, Float32
from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec
from deepfactor.features._rank_codes import MISSING, VALUES
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

#: How a scaling treats a field: relative to the window's last close, to the window's own mean volume, or as it is.
Role = Literal["price", "volume", "plain"]


class FeatureSettings(Spec):
    """Base of every set's settings."""

    window: int = Field(default=150, ge=1, le=2500, description="trading days of a sample's window")


@dataclass(frozen=True)
class Features:
    """Daily features of every stock.

    Attributes
    ----------
    names : f field names, in the order of the last axis.
    roles : f roles
        "price": log of the adjusted price; "volume": log of the split-adjusted volume, or of an amount; "plain": as is.
    values : (T, N, f) float32, or uint8 codes of the day's ranks (`deepfactor.features._rank_codes`)
        row t uses only what was known at the close of t; NaN, or code 0, = missing. Codes are read as what they stand
        for, missing as 0, and no scaling is laid over them.

    Logs of prices keep an arbitrary level a stock: scalings use differences within one window only, so a later
    adjustment factor can't change an earlier sample.
    """

    names: tuple[str, ...]
    roles: tuple[Role, ...]
    values: Float32 | Bytes

    @property
    def coded(self) -> bool:
        """Whether `values` are codes of ranks."""
        return self.values.dtype == np.uint8

    def known(self, t: int) -> Bools:
        """(N, f) what is there on day t."""
        there: Bools = self.values[t] != MISSING if self.coded else np.isfinite(self.values[t])
        return there

    def plain(self) -> Float32:
        """(T, N, f) values; of codes what they stand for, NaN = missing."""
        values = self.values
        return values if values.dtype == np.float32 else VALUES[values]  # type: ignore[return-value]


class FeatureKind(Protocol[SettingsOf]):
    """A file of this room; its ``Settings`` are `FeatureSettings`."""

    def compute(self, settings: SettingsOf, panel: Panel, universe: Universe, /) -> Features:
        """The features of every stock and day."""

    def rows_back(self, settings: SettingsOf, /) -> int:
        """Rows before a day that its features read: with that many before it, a day's features are the same to the
        last bit, however many more there are."""


ROOM: Room[FeatureKind[FeatureSettings], FeatureSettings] = Room("deepfactor.features")
FeatureSet = Annotated[Chosen[FeatureKind[FeatureSettings], FeatureSettings], ROOM]
"""What a recipe's networks read."""
