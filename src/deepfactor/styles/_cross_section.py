"""Steps that every style set shares: a descriptor's cross-section clipped, standardised, combined, orthogonalised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepfactor.core.arrays import Float64


def clip_mad(x: Float64, k: float) -> Float64:
    """Clip each row at its median ± k·1.4826·MAD; NaN stays, a row of MAD 0 is left as it is."""
    out = x.copy()
    for row in out:
        known = np.isfinite(row)
        if known.any():
            values = row[known]
            centre = _median(values)
            spread = 1.4826 * _median(np.abs(values - centre))
            if spread > 0:
                np.clip(row, centre - k * spread, centre + k * spread, out=row)
    return out


def _median(values: Float64) -> float:
    """Of finite values (M,), M > 0: bit for bit `numpy.median`, which takes thrice as long over its checks."""
    half = len(values) // 2
    parted = np.partition(values, half)
    return float(parted[half] if len(values) % 2 else (parted[:half].max() + parted[half]) / 2.0)


def standardise(x: Float64, cap: Float64) -> Float64:
    """Rows to cap-weighted mean 0 and equal-weighted standard deviation 1 (Barra); NaN stays, no spread gives 0."""
    known = np.isfinite(x) & np.isfinite(cap)
    value, weight = np.where(known, x, 0.0), np.where(known, cap, 0.0)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = (value * weight).sum(axis=1, keepdims=True) / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    centre = value.sum(axis=1, keepdims=True) / count
    deviation = np.sqrt((np.where(known, x - centre, 0.0) ** 2).sum(axis=1, keepdims=True) / count)
    return np.where(known, (value - mean) / np.where(deviation > 0, deviation, 1.0), np.nan)


def composite(parts: Sequence[tuple[float, Float64]]) -> Float64:
    """Weighted mean of standardised descriptors, per stock over those it has; NaN where it has none."""
    total, weight = np.zeros(parts[0][1].shape), np.zeros(parts[0][1].shape)
    for w, x in parts:
        known = np.isfinite(x)
        total += np.where(known, w * x, 0.0)
        weight += np.where(known, w, 0.0)
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)


def orthogonalise(x: Float64, on: Sequence[Float64], weight: Float64 | None = None) -> Float64:
    """Residual of each row's least squares of `x` on an intercept and the rows of `on`; NaN where any is missing.

    Parameters
    ----------
    weight : regression weights (≥ 0), None = equal. Regressors without spread are dropped by the pseudo-inverse.

    A row with no more stocks than coefficients is NaN: its residual would be zero whatever `x` is.
    """
    known = np.isfinite(x)
    for regressor in on:
        known &= np.isfinite(regressor)
    if weight is not None:
        known &= np.isfinite(weight)
    w = known.astype(np.float64) if weight is None else np.where(known, weight, 0.0)
    design = [np.ones(x.shape), *(np.where(known, regressor, 0.0) for regressor in on)]
    y = np.where(known, x, 0.0)
    gram = np.array([[(w * a * b).sum(axis=1) for b in design] for a in design]).transpose(2, 0, 1)
    moment = np.array([(w * a * y).sum(axis=1) for a in design]).T
    coefficient = (np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ moment[:, :, None])[:, :, 0]
    for a, b in zip(design, coefficient.T, strict=True):
        y = y - b[:, None] * a
    enough = known.sum(axis=1, keepdims=True) > len(design)
    return np.where(known & enough, y, np.nan)
