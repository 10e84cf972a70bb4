"""Orders and ranks of a day's stocks; ties share the mean of their ranks.

In packed rows ranks are kept doubled, so that averages of ties are whole numbers and rank coefficients are exact sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import AnyArray, Bools, Float64, Floats, Indices, Int32, Ints
from deepfactor.cross_section.rows import blocks
from deepfactor.cross_section.sorting import ascending


def average_rank(x: Floats) -> Float64:
    """Rank from 1 of each of the finite (m,) values; equal values share the mean of their ranks."""
    order = np.argsort(x, kind="stable")
    values = x[order]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])  # of runs of equal values
    ends = np.r_[starts[1:], len(x)]
    rank = np.empty(len(x))
    rank[order] = np.repeat((starts + 1 + ends) / 2, ends - starts)
    return rank


def position_rank(x: Floats) -> Ints:
    """Place of each of the values (m,) in ascending order, from 0; equal values in the order given."""
    rank = np.empty(len(x), np.int64)
    rank[np.argsort(x, kind="stable")] = np.arange(len(x))
    return rank


def order_rows(values: Floats) -> Indices:
    """(B, N) flat positions in ascending order of each row's values; equals in the order of columns, missing last."""
    return ascending(np.where(np.isfinite(values), values, np.inf))


def day_orders(values: Floats) -> Int32:
    """(T, N) columns in ascending order of each row's values, as in `order_rows`."""
    orders = np.empty(values.shape, np.int32)
    for rows in blocks(*values.shape):
        orders[rows] = order_rows(values[rows]) - _first(values[rows])
    return orders


def flat_positions(orders: Int32) -> Indices:
    """Columns (B, N) of B days as positions in flat (B, N) arrays."""
    return np.asarray(orders + _first(orders))


def _first(x: AnyArray) -> Indices:
    """(B, 1) flat position of each row's first column."""
    return np.asarray(np.arange(len(x))[:, None] * x.shape[1])


@dataclass(frozen=True)
class Ties:
    """Runs of equal values in sorted rows (B, K): flat position of each run's first value, and how many it has."""

    first: Indices
    size: Indices

    @staticmethod
    def of(ordered: Floats) -> Ties:
        """Of rows in ascending order; what is infinite or NaN is missing, and not equal to anything."""
        flat = ordered.ravel()
        follows = np.flatnonzero(flat[1:] == flat[:-1]) + 1
        follows = follows[(flat[follows] < np.inf) & (follows % ordered.shape[1] > 0)]
        opens = np.flatnonzero(np.diff(follows, prepend=-2) > 1)
        return Ties(follows[opens] - 1, np.diff(opens, append=len(follows)) + 1)

    def doubled_ranks(self, kept: Bools) -> tuple[Int32, Float64]:
        """Twice the average ranks of the names in `kept` (B, K), in sorted order; meaningless outside. And their sum of
        squared deviations a row: n(n² − 1)/3, less (L³ − L)/3 for each run of L equals."""
        ranks = np.cumsum(kept, axis=1, dtype=np.int32)
        n = ranks[:, -1].astype(np.float64) if kept.shape[1] else np.zeros(len(kept))
        spread = n * (n * n - 1.0)
        flat = ranks.ravel()
        before = flat[self.first] - kept.ravel()[self.first]
        last = flat[self.first + self.size - 1]
        ranks *= 2
        if len(self.first):
            flat[self._members()] = np.repeat(before + last + 1, self.size)
            equal = (last - before).astype(np.float64)
            spread -= np.bincount(self.first // kept.shape[1], equal**3 - equal, minlength=len(kept))
        return ranks, spread / 3.0

    def shares_above(self, edge: Ints, number: Int32, kept: Bools) -> Bools | Float64:
        """How much of each name lies above the `edge` (B,) lowest of the names in `kept` (B, K): 0, 1, or for equals
        across the edge the same part each; meaningless outside. NaN in rows of two and more that are all equal.
        `number`: running count of `kept` along the rows."""
        whole: Bools = number > edge[:, None]
        if not len(self.first):
            return whole
        flat, row = number.ravel(), self.first // kept.shape[1]
        before = flat[self.first] - kept.ravel()[self.first]
        last = flat[self.first + self.size - 1]
        part = np.where(
            (before < edge[row]) & (edge[row] < last), (last - edge[row]) / np.maximum(last - before, 1), -1
        )
        part[(before == 0) & (last == number[row, -1]) & (last > 1)] = np.nan
        shares, spread = whole.astype(np.float64), np.repeat(part, self.size)
        counts = ~(spread < 0)
        shares.ravel()[self._members()[counts]] = spread[counts]
        return shares

    def _members(self) -> Indices:
        """Flat positions of all values of all runs."""
        start = np.cumsum(self.size) - self.size
        return np.asarray(np.arange(self.size.sum()) + np.repeat(self.first - start, self.size))
