"""What a factor is like, apart from what it earns: how slowly it moves and which other factors it resembles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deepfactor.core.arrays import Bools
from deepfactor.cross_section.correlation import spearman_rows
from deepfactor.cross_section.rows import blocks
from deepfactor.evaluation.ic import information_coefficients
from deepfactor.evaluation.statistics import every, mean_of
from deepfactor.evaluation.window import Window
from deepfactor.panel.scores import Scores


def autocorrelation(window: Window, names: Bools, step: int) -> float:
    """Mean rank correlation of the factor with itself at the rebalance before, `step` days apart.

    Over the names of (S, M) `names` at the later day that have both scores. NaN with fewer than two rebalances.
    """
    scored = window.scored_rows()
    days = scored[every(scored, step)]
    correlations = np.full(len(days) - 1, np.nan)
    for rows in blocks(len(correlations), names.shape[1]):
        before, now = days[:-1][rows], days[1:][rows]
        x, y = window.scores[now], window.scores[before]
        kept = names[now] & np.isfinite(x) & np.isfinite(y)
        correlations[rows] = spearman_rows(x, window.orders[now], y, window.orders[before], kept)
    return mean_of(correlations)


def model_correlation(models: Mapping[str, Scores], eligible: Bools) -> dict[str, dict[str, float | None]]:
    """Mean over days of each pair of scores' rank correlation over `eligible` (T, N); None without a common day."""
    result: dict[str, dict[str, float | None]] = {}
    for name, one in models.items():
        days = one.scored_days()
        row = {
            other: mean_of(information_coefficients(one.values[days], two.values[days], eligible[days]).rank_ic)
            for other, two in models.items()
        }
        result[name] = {other: value if np.isfinite(value) else None for other, value in row.items()}
    return result
