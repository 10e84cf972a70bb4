"""Information coefficients: Pearson and Spearman correlation of score and forward return over each day's cross-section.

The names of a universe are packed in the order of their scores once (`Ordered`); each return then costs one sort, and
each subset of the names (the tradeable ones, say) two running counts: a rank within a subset is the count of its names
up to there. Ranks are kept doubled, so that averages of ties are whole numbers and rank coefficients are exact sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats, Indices, Int32, Ints
from deepfactor.cross_section.correlation import pearson_of_packed, spearman_of_ranks
from deepfactor.cross_section.plain_size import shift_of
from deepfactor.cross_section.ranks import Ties, order_rows
from deepfactor.cross_section.rows import CHUNK, blocks
from deepfactor.cross_section.sorting import sort_rows


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

    def put(self, rows: slice, values: InformationCoefficients) -> None:
        """Fill in the days `rows`."""
        self.ic[rows], self.rank_ic[rows], self.n[rows] = values.ic, values.rank_ic, values.n


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


def pack(scores: Floats, order: Indices, mask: Bools) -> Ordered:
    """The names of `mask` (B, N) that have a score, given the `order` of the scores."""
    chosen = np.take(mask & np.isfinite(scores), order)
    count = np.count_nonzero(chosen, axis=1)
    width = -(-int(count.max(initial=0)) // CHUNK) * CHUNK
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
    coefficients = []
    for subset in subsets:
        kept = paired.have & subset
        n = np.count_nonzero(kept, axis=1)
        score_ranks, score_spread = names.ties.doubled_ranks(kept)
        score_ranks *= kept
        score_ranks = np.take(score_ranks, paired.order)
        return_ranks, return_spread = paired.ties.doubled_ranks(score_ranks > 0)
        # Rank variance is exactly zero for a constant, in contrast to that of the values, which rounding may hide.
        rank_ic = spearman_of_ranks(score_ranks, return_ranks, n, score_spread * return_spread)
        rank_ic[n < min_names] = np.nan
        ic = pearson_of_packed(names.values, paired.values, kept, n)
        ic[np.isnan(rank_ic)] = np.nan
        coefficients.append(InformationCoefficients(ic, rank_ic, n))
    return coefficients


def information_coefficients(
    scores: Floats, returns: Floats, mask: Bools, *, min_names: int = 2
) -> InformationCoefficients:
    """Of (T, N) scores and forward returns over `mask`, row by row; a pair with a missing side is left out."""
    result = InformationCoefficients.empty(len(scores))
    for rows in blocks(*scores.shape):
        block = np.asarray(scores[rows], dtype=np.float64)
        names = pack(block, order_rows(block), mask[rows])
        paired = names.paired(np.asarray(returns[rows], dtype=np.float64))
        result.put(rows, correlate(names, paired, [names.inside], min_names)[0])
    return result
