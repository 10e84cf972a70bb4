"""`day_features`: a feature set's values of the scored day alone, (b, k) float32.

`features` names the set, `alpha` by default. A set of ranks (`features._rank_codes`) is read as what its codes stand
for, uniform about 0 with variance 1; of another each feature is clipped over the batch at median ± 5·1.4826·MAD and
z-scored. Missing is 0, the middle of the day, without a mask beside it: trees on `alpha` read the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Bools, Bytes, Float32, Float64, Indices, Symbols
from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.features._rank_codes import VALUES
from deepfactor.features.base import ROOM as FEATURES
from deepfactor.features.base import Features, FeatureSet
from deepfactor.inputs.base import DayArrays
from deepfactor.inputs.standardising import zscored
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

KEPT: Final = True
FOLDER = "day_features"
#: What each code of a rank is read as; missing = 0.
_READ_AS = np.nan_to_num(VALUES)

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "day_features": "当日特征",
}


class Settings(Spec):
    """Which set."""

    features: FeatureSet = Field(
        default_factory=lambda: FEATURES.choose("alpha"), description="a feature set whose values stand by themselves"
    )

    def identity(self) -> dict[str, object]:
        """The set's, whose window means nothing here."""
        said = self.features.identity()
        return {name: value for name, value in said.items() if name != "window"}


@dataclass(frozen=True)
class DayFeatures:
    """A feature set: `names` (k), `values` (T, N, k) float32, NaN = missing, or uint8 codes of ranks, 0 = missing."""

    names: tuple[str, ...]
    values: Float32 | Bytes

    @property
    def days(self) -> int:
        """T."""
        return len(self.values)

    def between(self, rows: slice) -> Self:
        """Some of the days."""
        return replace(self, values=self.values[rows])

    def day(self, t: int, stocks: Indices, size: Float64) -> DayArrays:
        """``day_features`` (b, k) float32."""
        values = np.take(self.values[t], stocks, axis=0)
        if values.dtype == np.uint8:
            return {"day_features": np.take(_READ_AS, values, mode="clip")}
        return {"day_features": np.ascontiguousarray(zscored(np.ascontiguousarray(values.T)).T)}

    def widths(self) -> Mapping[str, int]:
        """k."""
        return {"day_features": len(self.names)}

    def fingerprint(self, days: range, columns: Indices, symbols: Symbols) -> str:
        """Hash of the values; see `Held`."""
        digest = hashlib.sha256(json.dumps([self.names, symbols[columns].tolist()]).encode())
        for t in days:
            digest.update(np.take(self.values[t], columns, axis=0).tobytes())
        return digest.hexdigest()[:16]

    def card(self) -> Mapping[str, object]:
        """The features."""
        return {"day_features": list(self.names)}


HELD = DayFeatures


def prepare(settings: Settings, panel: Panel, universe: Universe, eligible: Bools) -> DayFeatures:
    """Of all stocks, whoever may be scored.

    Raises
    ------
    DataError
        the market can't give the set, or its values are levels, which mean something within a window alone.
    """
    return of_features(settings, settings.features.part.compute(settings.features.settings, panel, universe))


def feature_set(settings: Settings) -> FeatureSet:
    """The set."""
    return settings.features


def of_features(settings: Settings, features: Features) -> DayFeatures:
    """What is kept of the computed set; see `prepare`."""
    if levels := sorted(set(features.roles) - {"plain"}):
        raise DataError(
            f"day_features takes a set whose values stand by themselves, as alpha or hand_features: "
            f"{settings.features.kind} has the level of a {' and a '.join(levels)}"
        )
    return DayFeatures(features.names, features.values)
