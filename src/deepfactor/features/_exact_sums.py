"""Sums over a stock's last days from one pass of running sums, the same to the last bit wherever the pass began.

A difference of running sums in floating point carries the rounding of all days before, so that a day computed by itself
would differ from the same day of a long panel. Here a value is first taken in fixed point, a whole number of 2^-40:
whole numbers add up exactly (what overflows comes back in the difference), whatever lies before the window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Float64, Ints

_UNIT = 2.0**40
#: Beyond it a value is cut, so that a window's sum fits; nothing of a market comes near.
_MOST = 2.0**14


@dataclass(frozen=True)
class Running:
    """Running sums of a series over the rows of a block, and how many values were there.

    Attributes
    ----------
    total : (R + 1, N) int64 in units of 2^-40, the first row 0
    count : (R + 1, N) int32
    """

    total: Ints
    count: Ints

    @classmethod
    def of(cls, x: Float64, beside: Running | None = None) -> Running:
        """Of a series (R, N); NaN and infinity are no values. `beside`: one with values at the same places."""
        known = np.isfinite(x)
        return cls(_running(_fixed(x, known)), _running(known) if beside is None else beside.count)

    def sum(self, days: int, rows: slice) -> Float64:
        """Sum of the values of the last `days` rows at each of `rows`."""
        return _difference(self.total, days, rows).astype(np.float64) / _UNIT

    def number(self, days: int, rows: slice) -> Float64:
        """How many there are; NaN where it is less than half of `days`."""
        found = _difference(self.count, days, rows).astype(np.float64)
        return np.where(found >= days / 2, found, np.nan)

    def mean(self, days: int, rows: slice) -> Float64:
        """Mean over the last `days` rows; NaN where fewer than half have a value."""
        return self.sum(days, rows) / self.number(days, rows)


@dataclass(frozen=True)
class RunningLine:
    """Running sums for least squares of a series on time, over the rows that have a value.

    `value` and `square` are of the series; `of_time`, `of_squared_time` and `of_product` running sums of the row's
    number, its square and its product with the value.
    """

    value: Running
    square: Running
    of_time: Ints
    of_squared_time: Ints
    of_product: Ints

    @classmethod
    def of(cls, y: Float64) -> RunningLine:
        """Of a series (R, N)."""
        known = np.isfinite(y)
        fixed, s = _fixed(y, known), np.arange(len(y), dtype=np.int64)[:, None]
        there = known.astype(np.int64)
        value = Running(_running(fixed), _running(known))
        return cls(value, Running.of(y * y, value), _running(there * s), _running(there * s * s), _running(fixed * s))

    def fit(self, days: int, rows: slice) -> tuple[Float64, Float64, Float64]:
        """Slope a row, R², and the line's height at the row; NaN where fewer than half of the days, or than three,
        have a value."""
        n = self.value.number(days, rows)
        n = np.where(n >= 3, n, np.nan)
        now = np.arange(rows.start, rows.stop, rows.step, dtype=np.int64)[:, None]
        count = _difference(self.value.count, days, rows).astype(np.int64)
        time, squared, product = (
            _difference(x, days, rows) for x in (self.of_time, self.of_squared_time, self.of_product)
        )
        total = _difference(self.value.total, days, rows)
        # In whole numbers to the row itself as time 0: what comes out doesn't know where the block began.
        squares = (squared - 2 * now * time + now * now * count).astype(np.float64)
        products = (product - now * total).astype(np.float64) / _UNIT
        since = (time - now * count).astype(np.float64)
        y, yy = total.astype(np.float64) / _UNIT, self.square.sum(days, rows)
        sxx, sxy, syy = squares - since * since / n, products - since * y / n, np.maximum(yy - y * y / n, 0.0)
        slope = sxy / sxx
        return slope, np.where(syy > _FLAT * n, slope * sxy / syy, np.nan), y / n - slope * since / n


#: Variance below which a series is flat; twice what fixed point can tell.
_FLAT = 1e-11


def central(x: Running, squares: Running, days: int, rows: slice) -> tuple[Float64, Float64]:
    """Mean and population variance over the last `days` rows; a variance that fixed point can't tell from 0 is 0."""
    mean = x.mean(days, rows)
    variance = squares.mean(days, rows) - mean * mean
    return mean, np.where(variance > _FLAT, variance, np.where(np.isnan(variance), np.nan, 0.0))


def _fixed(x: Float64, known: np.ndarray) -> Ints:
    y = np.where(known, x, 0.0)
    np.minimum(y, _MOST, out=y)
    np.maximum(y, -_MOST, out=y)
    y *= _UNIT
    return y.astype(np.int64)


def _running(x: np.ndarray) -> Ints:
    out = np.zeros((len(x) + 1, x.shape[1]), np.int32 if x.dtype == np.bool_ else np.int64)
    np.cumsum(x, axis=0, out=out[1:])
    return out


def _difference(running: Ints, days: int, rows: slice) -> Ints:
    """Of the running sums at each of `rows` and `days` before; rows before the first hold nothing."""
    step = rows.step or 1
    now = running[rows.start + 1 : rows.stop + 1 : step]
    first = rows.start + 1 - days
    if first >= 0:
        before: Ints = running[first : first + (rows.stop - rows.start) : step]
        return now - before
    at = np.maximum(np.arange(rows.start, rows.stop, step) + 1 - days, 0)
    earlier: Ints = running[at]
    return now - earlier
