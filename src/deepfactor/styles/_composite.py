"""What combines descriptors into a style."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepfactor.core.arrays import Float64


def composite(parts: Sequence[tuple[float, Float64]]) -> Float64:
    """Weighted mean of standardised descriptors, per stock over those it has; NaN where it has none."""
    total, weight = np.zeros(parts[0][1].shape), np.zeros(parts[0][1].shape)
    for w, x in parts:
        known = np.isfinite(x)
        total += np.where(known, w * x, 0.0)
        weight += np.where(known, w, 0.0)
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
