"""Z-scores over the stocks of a day; population standard deviations."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats
from deepfactor.cross_section.plain_size import constant_rows, in_plain_size


def zscore(values: Float64) -> Float64:
    """Of finite values (m,); zeros where they have no spread."""
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))


def zscore_rows(values: Floats, mask: Bools) -> Float64:
    """Of each row of (T, N) over `mask` and finite values; NaN elsewhere.

    A row of one and the same value becomes zeros. The unit doesn't count: scores × 1e300 have the same z-scores. Sums
    of whole rows, zeros included, round otherwise than `zscore` of what is there.
    """
    inside = mask & np.isfinite(values)
    x = in_plain_size(np.where(inside, values, 0.0).astype(np.float64, copy=False))
    n = np.maximum(inside.sum(axis=1, keepdims=True), 1)
    x = np.where(inside, x - x.sum(axis=1, keepdims=True) / n, 0.0)
    scale = np.sqrt((x * x).sum(axis=1, keepdims=True) / n)
    x[constant_rows(values, inside)] = 0.0  # what is left there is the mean's rounding
    return np.where(inside, x / np.where(scale > 0, scale, 1.0), np.nan)


def zscore_rows_by_cap(x: Float64, cap: Float64) -> Float64:
    """Rows to cap-weighted mean 0 and equal-weighted standard deviation 1 (Barra); NaN stays, no spread gives 0."""
    known = np.isfinite(x) & np.isfinite(cap)
    value, weight = np.where(known, x, 0.0), np.where(known, cap, 0.0)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = (value * weight).sum(axis=1, keepdims=True) / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    centre = value.sum(axis=1, keepdims=True) / count
    deviation = np.sqrt((np.where(known, x - centre, 0.0) ** 2).sum(axis=1, keepdims=True) / count)
    return np.where(known, (value - mean) / np.where(deviation > 0, deviation, 1.0), np.nan)
