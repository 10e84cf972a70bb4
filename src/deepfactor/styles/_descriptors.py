"""Steps that every style set shares: clipping and standardising a cross-section."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def clip_mad(x: Array, k: float) -> Array:
    """Clip each row at its median ± k·1.4826·MAD; NaN stays, a row of MAD 0 is left as it is."""
    out = x.copy()
    for row in out:
        known = np.isfinite(row)
        if known.any():
            centre = np.median(row[known])
            spread = 1.4826 * np.median(np.abs(row[known] - centre))
            if spread > 0:
                np.clip(row, centre - k * spread, centre + k * spread, out=row)
    return out


def standardise(x: Array, cap: Array) -> Array:
    """Rows to cap-weighted mean 0 and equal-weighted standard deviation 1 (Barra); NaN stays, no spread gives 0."""
    known = np.isfinite(x) & np.isfinite(cap)
    value, weight = np.where(known, x, 0.0), np.where(known, cap, 0.0)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = (value * weight).sum(axis=1, keepdims=True) / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    centre = value.sum(axis=1, keepdims=True) / count
    deviation = np.sqrt((np.where(known, x - centre, 0.0) ** 2).sum(axis=1, keepdims=True) / count)
    return np.where(known, (value - mean) / np.where(deviation > 0, deviation, 1.0), np.nan)
