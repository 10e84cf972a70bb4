"""Numbers of extreme size, brought to plain size by a power of two, which changes no digit."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats, Int32

#: Binary exponents within which numbers are taken as they are.
_PLAIN = 256


def constant_rows(values: Floats, mask: Bools) -> Bools:
    """Rows of (T, N) `values` that are one and the same number over `mask`, or have none there: (T,)."""
    least = np.min(values, axis=1, where=mask, initial=np.inf)
    return np.asarray(least >= np.max(values, axis=1, where=mask, initial=-np.inf))


def in_plain_size(values: Float64) -> Float64:
    """Finite rows (T, N), each as it is, or times the power of two that `shift_of` says, which changes no digit."""
    shift = shift_of(np.abs(values).max(axis=1, initial=0.0))
    return np.ldexp(values, shift[:, None]) if shift.any() else values


def shift_of(largest: Float64) -> Int32:
    """Exponents of two (T,) that bring numbers whose `largest` (≥ 0, finite) is below 2⁻²⁵⁶ or above 2²⁵⁶ to about 1.

    Sums, squares and products of squares then neither overflow nor vanish; 0 for numbers of plain size.
    """
    exponent = np.frexp(largest)[1]
    return np.where((np.abs(exponent) > _PLAIN) & (largest > 0), -exponent, 0).astype(np.int32)
