"""What every weighting shares: the table that it is fitted on, and what fitting gives back.

A weighting is a kind, a file of this room, with

* ``Settings(Spec)``;
* ``check()``, which raises `RecipeError` where a library is missing, before anything is trained;
* ``fit(settings, train, valid, seed) -> Fitted``: learns from `train`; `valid` decides when to stop or which
  strength to take, by the mean RankIC over its days, never the loss;
* ``restore(state) -> Fitted`` of what `Fitted.state` gave.

One thread and a given seed: the same table gives the same weighting, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from deepfactor.core.arrays import Float32, Float64, Indices
from deepfactor.training.samples import rank_ic


@dataclass(frozen=True)
class Table:
    """Labelled stock-days of a span, day after day.

    Attributes
    ----------
    x : (n, k) float32
        standardised within each day, so that days may be pooled; no NaN (missing is 0).
    y : (n,) float32 label, standardised within each day
    starts : (D + 1,) rows at which the days begin, and n
    """

    x: Float32
    y: Float32
    starts: Indices

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

    def state(self) -> dict[str, object]:
        """What `restore` needs, as JSON can hold it."""
        ...


def mean_rank_ic(score: Float64, table: Table) -> float:
    """Mean over the table's days of the RankIC of `score` (n,) with its label."""
    days = zip(table.starts[:-1], table.starts[1:], strict=True)
    return float(np.mean([rank_ic(score[a:b], table.y[a:b].astype(np.float64)) for a, b in days]))


def best_round(part: Callable[[int, int], Float64], rounds: int, step: int, valid: Table) -> int:
    """The number of trees, a multiple of `step` up to `rounds`, whose scores have the highest mean RankIC on `valid`.

    `part` gives what the trees first … stop − 1 add to the scores (n,), up to a constant.
    """
    counts: list[int] = sorted({*range(step, rounds + 1, step), rounds})
    found, score = {}, np.zeros(len(valid.x))
    for first, stop in zip([0, *counts], counts, strict=False):
        score += part(first, stop)
        found[stop] = mean_rank_ic(score, valid)
    return max(counts, key=lambda count: (found[count], -count))


def shares(gain: Float64) -> Float64:
    """`gain` ≥ 0 as shares that add up to 1; all zero where there is none."""
    total = gain.sum()
    return gain / total if total > 0 else np.zeros_like(gain)
