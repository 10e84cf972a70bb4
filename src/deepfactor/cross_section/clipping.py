"""Clipping at the median ± k robust deviations (1.4826·MAD: a normal distribution's standard deviation)."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float32, Float64, Indices

#: Median absolute deviations to standard deviations, of a normal distribution.
MAD_TO_SIGMA = 1.4826


def clip_mad(values: Float64, k: float) -> Float64:
    """Finite values (m,) clipped at median ± k·(1.4826·MAD); as they are where the MAD is zero, or m is."""
    return values if not len(values) else _clip(values, *_robust(values, k))


def clip_raw_mad(values: Float64, k: float) -> Float64:
    """The same at median ± k·MAD: k = 5·1.4826 rounds otherwise than five robust deviations do."""
    if not len(values):
        return values
    centre, mad = _median_and_mad(values)
    return _clip(values, centre, k * mad)


def clip_mad_rows(x: Float64, k: float) -> Float64:
    """Each row of (T, N) by the median and MAD of its finite values; NaN stays, what is infinite is clipped too."""
    out = x.copy()
    for row in out:
        known = np.isfinite(row)
        if known.any():
            row[:] = _clip(row, *_robust(row[known], k))
    return out


def mad_bounds_of_sorted(x: Float32, count: Indices, k: float) -> tuple[Float32, Float32]:
    """Bounds median ± k·MAD of ascending rows (…, b), missing last, of which `count` (…,) are known; ±inf = no clip.

    Of many rows at once and without sorting the deviations: a training day has as many rows as lags and features.
    """
    median = _middle(x, count)
    spread = k * _mad_of_sorted(x, count, median)
    low = np.where(spread > 0, median - spread, -np.inf).astype(np.float32)
    high = np.where(spread > 0, median + spread, np.inf).astype(np.float32)
    return low, high


def median(values: Float64) -> float:
    """Of finite values (m,), m > 0: bit for bit `numpy.median`, which takes thrice as long over its checks."""
    half = len(values) // 2
    parted = np.partition(values, half)
    middle = parted[half] if len(values) % 2 else (parted[:half].max() + parted[half]) / 2.0
    return float(middle + 0.0)  # never −0.0, as numpy


def _robust(values: Float64, k: float) -> tuple[float, float]:
    """Median, and k robust deviations."""
    centre, mad = _median_and_mad(values)
    return centre, k * (MAD_TO_SIGMA * mad)


def _median_and_mad(values: Float64) -> tuple[float, float]:
    centre = median(values)
    return centre, median(np.abs(values - centre))


def _clip(values: Float64, centre: float, reach: float) -> Float64:
    return np.clip(values, centre - reach, centre + reach) if reach > 0 else values


def _middle(x: Float32, count: Indices) -> Float64:
    """Median of the first `count` of each sorted row; NaN where there is none."""
    upper = _at(x, np.minimum(count // 2, x.shape[-1] - 1))
    lower = _at(x, np.maximum((count - 1) // 2, 0))
    return np.where(count > 0, (lower + upper) / 2, np.nan)


def _mad_of_sorted(x: Float32, count: Indices, centre: Float64) -> Float64:
    """Median absolute deviation from `centre` of the first `count` of each sorted row, without sorting again.

    The deviations to the left of the median and those to its right are two sorted lists; a bisection finds how many of
    the h smallest are from the left.
    """
    return (_deviation(x, count, centre, (count - 1) // 2) + _deviation(x, count, centre, count // 2)) / 2


def _deviation(x: Float32, count: Indices, centre: Float64, rank: Indices) -> Float64:
    """The `rank`-th smallest (from 0) of |x − centre| in each sorted row: of all runs of rank + 1 neighbours, the run
    whose farther end lies nearest to the centre has it there."""
    first, last = np.zeros_like(count), np.maximum(count - 1 - rank, 0)
    while (first < last).any():
        # moving the run one to the right helps while its left end is farther than the newcomer on the right
        start = (first + last) // 2
        better = centre - _at(x, start) > _at(x, np.minimum(start + rank + 1, x.shape[-1] - 1)) - centre
        moving = first < last
        first = np.where(moving & better, start + 1, first)
        last = np.where(moving & ~better, start, last)
    return np.maximum(centre - _at(x, first), _at(x, np.maximum(first + rank, 0)) - centre)


def _at(x: Float32, column: Indices) -> Float64:
    """x[..., column] with one column a row, in float64."""
    taken: Float64 = np.take_along_axis(x, column[..., None], axis=-1)[..., 0].astype(np.float64)
    return taken
