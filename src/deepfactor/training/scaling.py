"""`last_close`: the scaling of one day's gathered windows. Stateless: a day's batch alone decides it.

1. Prices relative to the window's own last close, volume relative to the window's own mean volume, in logs.
2. Per lag and feature over the day's batch: clip at median ± 5·1.4826·MAD (no clip where the MAD is 0), z-score (a
   scale below 1e-6 gives 0), missing → 0.

Only ratios within a window are used, so a later adjustment factor can't change an earlier sample. Windows are worked on
as (L, f, b): what step 2 treats alike lies side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from deepfactor.core.errors import RecipeError
from deepfactor.features.base import Role

Windows = NDArray[np.float32]

CLIP_MAD = 5.0
MAD_TO_SIGMA = 1.4826  # of a normal distribution
LEAST_SCALE = 1e-6


@dataclass(frozen=True)
class Stats:
    """A day's cross-sectional statistics, each (L, f) float32.

    `low`, `high` are the clip bounds (±inf = no clip); `mean` that of the clipped values; `inverse` 1 / their standard
    deviation, 0 where that is below 1e-6.
    """

    low: Windows
    high: Windows
    mean: Windows
    inverse: Windows


def make_relative(windows: Windows, names: tuple[str, ...], roles: tuple[Role, ...]) -> None:
    """Step 1, in place: `windows` (L, f, b) of logs, oldest first; NaN = missing; without a last close all prices are.

    Raises
    ------
    RecipeError
        prices without a field named close.
    """
    if "price" in roles and "close" not in names:
        raise RecipeError("scaling last_close needs the field close among the prices", key="inputs.fields")
    last_close = windows[-1, names.index("close")].copy() if "price" in roles else np.empty(0, np.float32)
    for k, role in enumerate(roles):
        if role == "price":
            windows[:, k] -= last_close
        elif role == "volume":
            windows[:, k] -= _log_mean(windows[:, k])


def _log_mean(log_volume: Windows) -> Windows:
    """Log of the mean volume of each window over its observed days: (L, b) -> (b,); NaN where none is observed."""
    seen = np.isfinite(log_volume)
    volume = np.exp(log_volume, where=seen, out=np.zeros_like(log_volume))
    count = seen.sum(axis=0)
    mean = volume.sum(axis=0, dtype=np.float64) / np.maximum(count, 1)
    out: Windows = np.log(mean, where=count > 0, out=np.full(mean.shape, np.nan)).astype(np.float32)
    return out


def statistics(windows: Windows) -> Stats:
    """Step 2's statistics of relative `windows` (L, f, b), over the observed stocks of each lag and feature."""
    x = np.sort(windows, axis=-1)  # missing last
    count = x.shape[-1] - np.isnan(x).sum(axis=-1)
    median = _middle(x, count)
    spread = CLIP_MAD * MAD_TO_SIGMA * _mad(x, count, median)
    low = np.where(spread > 0, median - spread, -np.inf).astype(np.float32)
    high = np.where(spread > 0, median + spread, np.inf).astype(np.float32)
    np.maximum(x, low[..., None], out=x)
    np.minimum(x, high[..., None], out=x)
    n = np.maximum(count, 1)
    mean = torch.from_numpy(x).nansum(dim=-1, dtype=torch.float64).numpy() / n
    x -= mean[..., None].astype(np.float32)
    torch.from_numpy(x).nan_to_num_(0.0)
    scale = np.sqrt(np.multiply(x, x, out=x).sum(axis=-1, dtype=np.float64) / n)
    inverse = np.divide(1.0, scale, where=scale >= LEAST_SCALE, out=np.zeros_like(scale))
    return Stats(low, high, mean.astype(np.float32), inverse.astype(np.float32))


def apply(windows: Windows, stats: Stats) -> None:
    """Step 2, in place: clip, z-score, missing → 0."""
    np.maximum(windows, stats.low[..., None], out=windows)
    np.minimum(windows, stats.high[..., None], out=windows)
    windows -= stats.mean[..., None]
    windows *= stats.inverse[..., None]
    torch.from_numpy(windows).nan_to_num_(0.0)  # three times as fast as numpy's


def _middle(x: Windows, count: NDArray[np.intp]) -> NDArray[np.float64]:
    """Median of the first `count` of each sorted row; NaN where there is none."""
    upper = _at(x, np.minimum(count // 2, x.shape[-1] - 1))
    lower = _at(x, np.maximum((count - 1) // 2, 0))
    return np.where(count > 0, (lower + upper) / 2, np.nan)


def _mad(x: Windows, count: NDArray[np.intp], median: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median absolute deviation from `median` of the first `count` of each sorted row, without sorting again.

    The deviations to the left of the median and those to its right are two sorted lists; a bisection finds how many of
    the h smallest are from the left.
    """
    return (_deviation(x, count, median, (count - 1) // 2) + _deviation(x, count, median, count // 2)) / 2


def _deviation(
    x: Windows, count: NDArray[np.intp], median: NDArray[np.float64], rank: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The `rank`-th smallest (from 0) of |x − median| in each sorted row: of all runs of rank + 1 neighbours, the run
    whose farther end lies nearest to the median has it there."""
    first, last = np.zeros_like(count), np.maximum(count - 1 - rank, 0)
    while (first < last).any():
        # moving the run one to the right helps while its left end is farther than the newcomer on the right
        start = (first + last) // 2
        better = median - _at(x, start) > _at(x, np.minimum(start + rank + 1, x.shape[-1] - 1)) - median
        moving = first < last
        first = np.where(moving & better, start + 1, first)
        last = np.where(moving & ~better, start, last)
    return np.maximum(median - _at(x, first), _at(x, np.maximum(first + rank, 0)) - median)


def _at(x: Windows, column: NDArray[np.intp]) -> NDArray[np.float64]:
    """x[..., column] with one column a row, in float64."""
    taken: NDArray[np.float64] = np.take_along_axis(x, column[..., None], axis=-1)[..., 0].astype(np.float64)
    return taken
