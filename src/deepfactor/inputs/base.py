"""What an input has: one that is kept of a market, or one that a day's sizes give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol, Self, runtime_checkable

from deepfactor.core.arrays import AnyArray, Bools, Float64, Indices, Symbols
from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec
from deepfactor.features.base import Features, FeatureSet
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

DayArrays = Mapping[str, AnyArray]
"""What a day's batch holds of an input: arrays by the names under which a `CrossSection` has them."""


class Held(Protocol):
    """What is kept of an input for all days of a market: a frozen dataclass, whose arrays become files of their own and
    the rest JSON. Row t is known at the close of day t."""

    @property
    def days(self) -> int:
        """T, the number of days."""

    def between(self, rows: slice, /) -> Self:
        """Some of the days, as views."""

    def day(self, t: int, stocks: Indices, size: Float64, /) -> DayArrays:
        """Of the batch `stocks` (b,), columns of the market, on day t; `size` (b,) is their ln market value then. No
        NaN: a missing value is 0."""

    def widths(self) -> Mapping[str, int]:
        """What a model has to know to be built: by name, as in `Shapes.widths`."""

    def fingerprint(self, days: range, columns: Indices, symbols: Symbols, /) -> str:
        """Hash of what it says on `days` of the stocks `columns`, those that are in some batch then; says the same
        whoever else the market holds."""

    def card(self) -> Mapping[str, object]:
        """What a model card says of it."""


class FromMarket(Protocol[SettingsOf]):
    """A file of this room that is made of a market and kept."""

    @property
    def KEPT(self) -> Literal[True]:  # noqa: N802
        """It is kept."""

    @property
    def FOLDER(self) -> str:  # noqa: N802
        """Its name in the folders of training arrays and in the keys of jobs."""

    @property
    def HELD(self) -> type[Held]:  # noqa: N802
        """Class of what is kept."""

    def prepare(self, settings: SettingsOf, panel: Panel, universe: Universe, eligible: Bools, /) -> Held:
        """Make it; `eligible` (T, N) is who may be scored.

        Raises
        ------
        DataError
            the market can't give it.
        """


@runtime_checkable
class OfFeatures(FromMarket[SettingsOf], Protocol[SettingsOf]):
    """A file that keeps a feature set as it is, as the array ``values``: what others have computed of the set serves
    it, and of a market it reads no more than the set does."""

    def feature_set(self, settings: SettingsOf, /) -> FeatureSet:
        """The set."""

    def of_features(self, settings: SettingsOf, features: Features, /) -> Held:
        """What is kept of the computed set; raises as `prepare`."""


class FromSize(Protocol[SettingsOf]):
    """A file of this room that a day's sizes give; nothing is kept."""

    @property
    def KEPT(self) -> Literal[False]:  # noqa: N802
        """Nothing is kept."""

    def day(self, settings: SettingsOf, size: Float64, /) -> DayArrays:
        """Of a batch whose ln market values are `size` (b,)."""


Input = Chosen[FromMarket[Spec] | FromSize[Spec], Spec]
ROOM: Room[FromMarket[Spec] | FromSize[Spec], Spec] = Room("deepfactor.inputs")
ChosenInput = Annotated[Input, ROOM]
"""An input with its settings, as a recipe has it."""


def rows_back(chosen: Input) -> int | None:
    """Rows before a day that what it holds of the day may read; None = all of them."""
    part = chosen.part
    if not part.KEPT:
        return 0
    if not isinstance(part, OfFeatures):
        return None
    features = part.feature_set(chosen.settings)
    return features.part.rows_back(features.settings)
