"""Information coefficients: Pearson and Spearman correlation of score and forward return over each day's cross-section.

The names of a universe are packed in the order of their scores once (`Ordered`); each return then costs one sort, and
each subset of the names (the tradeable ones, say) two running counts: a rank within a subset is the count of its names
up to there. Ranks are kept doubled, so that averages of ties are whole numbers and rank coefficients are exact sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import AnyArray, Bools, Float64, Floats, Indices, Int32, Ints
from deepfactor.evaluation.sorting import ascending, sort_rows
from deepfactor.panel.scores import constant_days, in_plain_size, shift_of

#: Numbers worked on at once: intermediate arrays stay in cache.
_BLOCK = 1 << 16
#: Width of packed rows is a multiple of this; see `row_sums`.
_CHUNK = 64


@dataclass(frozen=True)
class InformationCoefficients:
    """Daily series of one score against one return over one set of names.

    Attributes
    ----------
    ic, rank_ic : (T,) float64
        Pearson, and Spearman with average ranks for ties. NaN where there are too few names, or where score or return
        is constant.
    n : (T,) int64
        names with both a score and a return.
    """

    ic: Float64
    rank_ic: Float64
    n: Ints

    @staticmethod
    def empty(days: int) -> InformationCoefficients:
        """Of `days` days, nothing known yet."""
        return InformationCoefficients(np.full(days, np.nan), np.full(days, np.nan), np.zeros(days, np.int64))

    def at(self, rows: Indices) -> InformationCoefficients:
        """The same at some days."""
        return InformationCoefficients(self.ic[rows], self.rank_ic[rows], self.n[rows])

    def put(self, rows: slice, found: InformationCoefficients) -> None:
        """Fill in the days `rows`."""
        self.ic[rows], self.rank_ic[rows], self.n[rows] = found.ic, found.rank_ic, found.n


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


@dataclass(frozen=True)
class Ordered:
    """The names of a universe on B days, packed to the front in ascending order of their scores.

    Attributes
    ----------
    places : (B, K)
        flat positions in (B, N) arrays; 0 behind the day's names.
    inside : (B, K) bool
        False behind the day's names.
    values : (B, K) float64
        the scores, in plain size, less the day's median; 0 behind the day's names.
    ties : of the scores
    """

    places: Indices
    inside: Bools
    values: Float64
    ties: Ties

    def of(self, flags: Bools) -> Bools:
        """Flags (B, N) of the names: (B, K); meaningless behind the day's names."""
        return np.asarray(np.take(flags, self.places))

    def paired(self, returns: Float64) -> Paired:
        """Returns (B, N) of the names."""
        values: Float64 = np.take(returns, self.places)
        have = np.isfinite(values)
        have &= self.inside
        missing = ~have
        np.copyto(values, np.inf, where=missing)
        order, ordered = sort_rows(values)
        middle, shift = _middle(ordered, np.count_nonzero(have, axis=1))
        if shift.any():
            np.ldexp(values, shift, out=values)
        values -= middle
        np.copyto(values, 0.0, where=missing)
        return Paired(have, values, order, Ties.of(ordered))


@dataclass(frozen=True)
class Paired:
    """A return of the names of an `Ordered`, sorted once.

    Attributes
    ----------
    have : (B, K) bool
        who has one.
    values : (B, K) float64
        the returns, in plain size, less the day's median; 0 where there is none.
    order : (B, K)
        flat positions in ascending order of the returns; who has none comes last.
    ties : of the returns
    """

    have: Bools
    values: Float64
    order: Indices
    ties: Ties


def order_scores(scores: Floats) -> Indices:
    """(B, N) flat positions in ascending order of each row's scores; equals in the order of columns, missing last."""
    return ascending(np.where(np.isfinite(scores), scores, np.inf))


def day_orders(scores: Floats) -> Int32:
    """(T, N) columns in ascending order of each row's scores, as in `order_scores`."""
    orders = np.empty(scores.shape, np.int32)
    for rows in blocks(*scores.shape):
        orders[rows] = order_scores(scores[rows]) - _first(scores[rows])
    return orders


def flat_positions(orders: Int32) -> Indices:
    """Columns (B, N) of B days as positions in flat (B, N) arrays."""
    return np.asarray(orders + _first(orders))


def _first(x: AnyArray) -> Indices:
    """(B, 1) flat position of each row's first column."""
    return np.asarray(np.arange(len(x))[:, None] * x.shape[1])


def pack(scores: Floats, order: Indices, mask: Bools) -> Ordered:
    """The names of `mask` (B, N) that have a score, given the `order` of the scores."""
    chosen = np.take(mask & np.isfinite(scores), order)
    count = np.count_nonzero(chosen, axis=1)
    width = -(-int(count.max(initial=0)) // _CHUNK) * _CHUNK
    inside = np.arange(width) < count[:, None]
    places = np.zeros(inside.shape, dtype=np.intp)
    places[inside] = np.take(order, np.flatnonzero(chosen))
    ordered = np.where(inside, np.take(scores, places), np.inf)
    middle, shift = _middle(ordered, count)
    plain = np.ldexp(ordered, shift) if shift.any() else ordered
    return Ordered(places, inside, np.where(inside, plain - middle, 0.0), Ties.of(ordered))


def _middle(ordered: Float64, n: Ints) -> tuple[Float64, Int32]:
    """(B, 1) middle of the first `n` values of each ascending row, 0 where there are none; and the exponents of two
    that bring the values to plain size (`shift_of`), the middle included."""
    if ordered.shape[1] == 0:
        return np.zeros((len(ordered), 1)), np.zeros((len(ordered), 1), np.int32)
    rows, some = np.arange(len(ordered)), n > 0
    least, middle, most = (np.where(some, ordered[rows, at], 0.0) for at in (0, n // 2, n - 1))
    shift = shift_of(np.maximum(np.abs(least), np.abs(most)))
    return np.ldexp(middle, shift)[:, None], shift[:, None]


def correlate(
    names: Ordered, paired: Paired, subsets: Sequence[Bools], min_names: int
) -> list[InformationCoefficients]:
    """Coefficients of each subset (B, K) of the names with a return of theirs."""
    found = []
    for subset in subsets:
        kept = paired.have & subset
        n = np.count_nonzero(kept, axis=1)
        score_ranks, score_spread = names.ties.doubled_ranks(kept)
        score_ranks *= kept
        score_ranks = np.take(score_ranks, paired.order)
        return_ranks, return_spread = paired.ties.doubled_ranks(score_ranks > 0)
        # Rank variance is exactly zero for a constant, in contrast to that of the values, which rounding may hide.
        rank_ic = _rank_correlation(score_ranks, return_ranks, n, score_spread * return_spread)
        rank_ic[n < min_names] = np.nan
        ic = _pearson(names.values, paired.values, kept, n)
        ic[np.isnan(rank_ic)] = np.nan
        found.append(InformationCoefficients(ic, rank_ic, n))
    return found


def rank_correlation(x: Floats, x_orders: Int32, y: Floats, y_orders: Int32, kept: Bools) -> Float64:
    """Spearman correlation of rows of (B, N) `x` and `y`, finite over `kept`, whose `day_orders` are known: (B,)."""
    x_ranks, x_spread = _ranks(x, x_orders, kept)
    y_ranks, y_spread = _ranks(y, y_orders, kept)
    return _rank_correlation(x_ranks, y_ranks, np.count_nonzero(kept, axis=1), x_spread * y_spread)


def _ranks(x: Floats, orders: Int32, kept: Bools) -> tuple[Int32, Float64]:
    """`Ties.doubled_ranks` in the order of columns, 0 outside `kept`."""
    order = flat_positions(orders)
    ordered, spread = Ties.of(np.take(x, order)).doubled_ranks(np.take(kept, order))
    ranks = np.zeros(kept.shape, np.int32)
    ranks.ravel()[order] = ordered
    ranks *= kept
    return ranks, spread


def _rank_correlation(x: Int32, y: Int32, n: Ints, spreads: Float64) -> Float64:
    """Of doubled ranks, one side 0 outside the `n` names of each row; `spreads`: product of those of the two sides."""
    product = np.multiply(x, y, dtype=np.float64).sum(axis=1) - n * (n + 1.0) ** 2
    return _divide(product, np.sqrt(spreads))


def information_coefficients(
    scores: Floats, returns: Floats, mask: Bools, *, min_names: int = 2
) -> InformationCoefficients:
    """Of (T, N) scores and forward returns over `mask`, row by row; a pair with a missing side is left out."""
    result = InformationCoefficients.empty(len(scores))
    for rows in blocks(*scores.shape):
        block = np.asarray(scores[rows], dtype=np.float64)
        names = pack(block, order_scores(block), mask[rows])
        paired = names.paired(np.asarray(returns[rows], dtype=np.float64))
        result.put(rows, correlate(names, paired, [names.inside], min_names)[0])
    return result


def pearson(x: Floats, y: Floats, mask: Bools) -> Float64:
    """Correlation of each row of (T, N) `x` and `y` over finite pairs of `mask`; NaN where a side is constant: (T,)."""
    result = np.full(len(x), np.nan)
    for rows in blocks(*x.shape):
        kept = mask[rows] & np.isfinite(x[rows]) & np.isfinite(y[rows])
        n = np.count_nonzero(kept, axis=1)
        a, b = (_centred(side[rows], kept, n) for side in (x, y))
        result[rows] = _divide(_dot(a, b), np.sqrt(_dot(a, a) * _dot(b, b)))
    return result


def _pearson(x: Float64, y: Float64, kept: Bools, n: Ints) -> Float64:
    """Of the `n` names of each row that are `kept`; `x` and `y` lie about 0, so their squares' sums lose nothing."""
    weight = kept.astype(np.float64)
    x, y = x * weight, y * weight
    a, b, n = row_sums(x), row_sums(y), np.maximum(n, 1)
    spreads = (_dot(x, x) - a * a / n) * (_dot(y, y) - b * b / n)
    return _divide(_dot(x, y) - a * b / n, np.sqrt(np.maximum(spreads, 0.0)))


def blocks(days: int, columns: int) -> list[slice]:
    """Rows of (days, columns) in slices of about `_BLOCK` numbers."""
    step = max(1, _BLOCK // max(1, columns))
    return [slice(first, min(first + step, days)) for first in range(0, days, step)]


def _centred(x: Floats, kept: Bools, n: Ints) -> Float64:
    """Values, in plain size, less the mean of the `n` of each row that are `kept`; 0 elsewhere."""
    values = in_plain_size(np.where(kept, x, 0.0).astype(np.float64, copy=False))
    values -= (row_sums(values) / np.maximum(n, 1))[:, None]
    values *= kept
    values[constant_days(x, kept)] = 0.0  # what is left there is the mean's rounding
    return values


def row_sums(x: Float64) -> Float64:
    """Sum of each row of (B, K), from the front on: whole chunks of zeros behind it change no bit.

    `numpy.sum` adds halves, which depend on the width, and so on the block's longest day.
    """
    return np.asarray(np.einsum("ij->i", x))


def _dot(x: Float64, y: Float64) -> Float64:
    return np.asarray(np.vecdot(x, y))


def _divide(product: Float64, scale: Float64) -> Float64:
    """NaN where a side is constant."""
    return np.asarray(np.divide(product, scale, out=np.full(len(product), np.nan), where=scale > 0))
