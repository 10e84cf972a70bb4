"""Arithmetic over the stocks of one day. Plain sums only: BLAS would make the bytes depend on its build.

Apart from `deepfactor.cross_section`: masks instead of gaps, 1e-12 in denominators, z-scores twice; a market's bytes
hang on each of them.
"""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Ints

#: Number of equal groups by market value that `size_groups` makes.
SIZE_GROUPS = 5


def _standardise(values: Float64, mask: Bools, count: int) -> Float64:
    centred = np.where(mask, values - values.sum(where=mask) / count, 0.0)
    unit: Float64 = centred / (np.sqrt((centred * centred).sum() / count) + 1e-12)
    return unit


def zscore(values: Float64, mask: Bools, clip: float = 3.0) -> Float64:
    """Z-score over `mask` (population deviation), clipped at ±`clip`, standardised once more; 0 outside."""
    count = max(int(mask.sum()), 2)
    once = np.clip(_standardise(values, mask, count), -clip, clip)
    return _standardise(once, mask, count)


def group_mean(values: Float64, mask: Bools, group: Ints, groups: int) -> Float64:
    """Each stock's group mean over `mask`, (N,); 0 for a group without members."""
    count = np.bincount(group, mask, groups)
    total = np.bincount(group, np.where(mask, values, 0.0), groups)
    mean: Float64 = (total / np.maximum(count, 1))[group]
    return mean


def size_groups(log_cap: Float64, alive: Bools) -> Ints:
    """Group 0 (smallest) … 4 of each stock by market value among `alive`; the others get the last group."""
    order = np.argsort(np.where(alive, log_cap, np.inf), kind="stable")
    group = np.empty(len(order), np.int64)
    rank = np.arange(len(order))
    group[order] = np.minimum(rank * SIZE_GROUPS // max(int(alive.sum()), 1), SIZE_GROUPS - 1)
    return group


def residual_return(returns: Float64, mask: Bools, log_cap: Float64, industry: Ints, industries: int) -> Float64:
    """Return less its industry's mean, less the within-industry slope on ln cap, over `mask`; 0 outside."""
    y = np.where(mask, returns - group_mean(returns, mask, industry, industries), 0.0)
    x = np.where(mask, log_cap - group_mean(log_cap, mask, industry, industries), 0.0)
    slope = (y * x).sum() / ((x * x).sum() + 1e-12)
    residual: Float64 = y - x * slope
    return residual
