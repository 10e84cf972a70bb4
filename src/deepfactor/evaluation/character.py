"""What a factor is like, apart from what it earns: how slowly it moves and which other factors it resembles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deepfactor.evaluation.ic import information_coefficients
from deepfactor.evaluation.statistics import every, mean_of
from deepfactor.panel.panel import Bools, Floats
from deepfactor.panel.scores import Scores


def autocorrelation(scores: Floats, names: Bools, scored: NDArray[np.intp], step: int) -> float:
    """Mean rank correlation of the factor with itself at the rebalance before, `step` days apart.

    Over the names of (S, M) `names` at the later day that have both scores. NaN with fewer than two rebalances.
    """
    rows = scored[every(scored, step)]
    if len(rows) < 2:
        return np.nan
    rank = information_coefficients(scores[rows[1:]], scores[rows[:-1]], names[rows[1:]]).rank_ic
    return mean_of(rank)


def model_correlation(models: Mapping[str, Scores], batch: Bools) -> dict[str, dict[str, float | None]]:
    """Mean over days of the rank correlation of each pair of scores over `batch` (T, N); None without a common day."""
    result: dict[str, dict[str, float | None]] = {}
    for name, one in models.items():
        days = one.scored_days()
        row = {
            other: mean_of(information_coefficients(one.values[days], two.values[days], batch[days]).rank_ic)
            for other, two in models.items()
        }
        result[name] = {other: value if np.isfinite(value) else None for other, value in row.items()}
    return result
