"""`Scores`: one number a stock and day, aligned with a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float64, Floats, Indices, Int32, Symbols

#: Binary exponents within which numbers are taken as they are.
_PLAIN = 256


@dataclass(frozen=True)
class Scores:
    """A factor. Row t uses only what was known at the close of day t; higher = expected to do better.

    Attributes
    ----------
    name : str
    dates : (T,); symbols : (N,)
        those of the panel it is aligned with.
    values : (T, N) float64
        NaN = no score.
    dropped : mapping of reason to count
        rows of the source that found no place here.
    """

    name: str
    dates: Dates
    symbols: Symbols
    values: Float64
    dropped: Mapping[str, int] = field(default_factory=dict)

    def scored_days(self) -> Indices:
        """Rows with at least one score."""
        return np.flatnonzero(np.isfinite(self.values).any(axis=1))


def standardise_by_day(values: Floats, mask: Bools) -> Float64:
    """Z-score of each row over `mask` and finite values (population standard deviation); NaN elsewhere.

    A row of one and the same value becomes zeros. The unit doesn't count: scores × 1e300 have the same z-scores.
    """
    inside = mask & np.isfinite(values)
    x = in_plain_size(np.where(inside, values, 0.0).astype(np.float64, copy=False))
    n = np.maximum(inside.sum(axis=1, keepdims=True), 1)
    x = np.where(inside, x - x.sum(axis=1, keepdims=True) / n, 0.0)
    scale = np.sqrt((x * x).sum(axis=1, keepdims=True) / n)
    x[constant_days(values, inside)] = 0.0  # what is left there is the mean's rounding
    return np.where(inside, x / np.where(scale > 0, scale, 1.0), np.nan)


def constant_days(values: Floats, mask: Bools) -> Bools:
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
