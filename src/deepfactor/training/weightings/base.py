"""What every weighting shares: the table that it is fitted on, what fitting gives back, and its Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np

from deepfactor.core.arrays import Float32, Float64, Indices
from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec
from deepfactor.training.selection import Select


@dataclass(frozen=True)
class LabelledRows:
    """Labelled stock-days of a span, day after day.

    Attributes
    ----------
    x : (n, k) float32
        standardised within each day, so that days may be pooled; no NaN (missing is 0).
    y : (n,) float32 label, standardised within each day
    starts : (D + 1,) rows at which the days begin, and n
    weight : (n,) float32, how much a row counts in the fit, of mean 1 within each day; None = all alike
    label : (n,) float32, as the label's kind made it; None = `y`
    select : what validation decides by
    """

    x: Float32
    y: Float32
    starts: Indices
    weight: Float32 | None = None
    label: Float32 | None = None
    select: Select = "rank_ic"

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.y) == self.starts[-1]:
            raise ValueError(f"{len(self.x)} rows of x, {len(self.y)} of y, days up to row {self.starts[-1]}")


class Fitted(Protocol):
    """A fitted weighting."""

    def predict(self, x: Float32) -> Float64:
        """Scores (n,) of (n, k)."""
        ...

    def importance(self) -> Float64:
        """(k,) share of each column in the score, adding up to 1; how it is measured is the kind's."""
        ...

    def state(self) -> Mapping[str, object]:
        """What `restore` needs, as JSON can hold it."""
        ...


class WeightingKind(Protocol[SettingsOf]):
    """A file of this room. One thread and a given seed: the same table gives the same weighting, bit for bit."""

    def check(self) -> None:
        """Raises `RecipeError` where a library is missing, before anything is trained."""

    def fit(self, settings: SettingsOf, train: LabelledRows, valid: LabelledRows, seed: int, /) -> Fitted:
        """Learns from `train`, whose rows count by their weight; `valid` decides when to stop or which strength to
        take, by what it is judged by (`validation.judged`), never the loss."""

    def restore(self, state: Any, /) -> Fitted:
        """What `Fitted.state` was of; each kind has a type of its own for it."""


ROOM: Room[WeightingKind[Spec], Spec] = Room("deepfactor.training.weightings")
Weighting = Annotated[Chosen[WeightingKind[Spec], Spec], ROOM]
"""What makes a score of a day's features, or of deep factors."""


def shares(gain: Float64) -> Float64:
    """`gain` ≥ 0 as shares that add up to 1; all zero where there is none."""
    total = gain.sum()
    return gain / total if total > 0 else np.zeros_like(gain)
