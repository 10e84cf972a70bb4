"""Rolling statistics over a stock's own past, shared by the sets of daily features."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float64


def before(x: Float64, days: int) -> Float64:
    """x of `days` rows before; NaN where there is no such row."""
    out = np.full_like(x, np.nan)
    out[days:] = x[: max(len(x) - days, 0)]
    return out


def past_change(x: Float64, days: int) -> Float64:
    """x less that of `days` rows before; NaN where either is missing."""
    return x - before(x, days)


def _sum(x: Float64, days: int) -> tuple[Float64, Float64]:
    """Sum and number of the finite values of the last `days` rows."""
    known = np.isfinite(x)
    return window(np.where(known, x, 0.0), days, np.add, 0.0), window(known.astype(np.float64), days, np.add, 0.0)


def window(x: Float64, days: int, join: np.ufunc, nothing: float) -> Float64:
    """`join` over the last `days` rows at every row, by doubling: log2(days) passes.

    Unlike differences of running sums it carries no rounding of earlier years, whenever the market began.
    """
    out, filled, power, span = np.full_like(x, nothing), 0, x, 1
    while filled < days:
        if days & span:  # the binary digits of `days` say which runs make up the window
            out = join(out, _shift(power, filled, nothing))
            filled += span
        power = join(power, _shift(power, span, nothing))
        span *= 2
    return out


def _shift(x: Float64, rows: int, nothing: float) -> Float64:
    if rows == 0:
        return x
    out = np.full_like(x, nothing)
    out[rows:] = x[: max(len(x) - rows, 0)]
    return out


def _enough(count: Float64, days: int) -> Float64:
    """The count where it is half the window or more, else NaN."""
    return np.where(count >= days / 2, count, np.nan)


def mean(x: Float64, days: int) -> Float64:
    """Mean of the finite values of the last `days` rows; NaN where fewer than half are finite."""
    total, count = _sum(x, days)
    return total / _enough(count, days)
