"""Information coefficients: Pearson and Spearman correlation of score and forward return over each day's cross-section.

The names of a universe are packed in the order of their scores once (`Ordered`); each return then costs one sort, and
each subset of the names (the tradeable ones, say) two running counts: a rank within a subset is the count of its names
up to there. Ranks are kept doubled, so that averages of ties are whole numbers and rank coefficients are exact sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfactor.evaluation.sorting import Array, Positions, ascending
from deepfactor.panel.panel import Bools, Floats

#: Rows worked on at once: intermediate arrays of a few thousand columns stay in cache.
BLOCK = 16
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

    ic: NDArray[np.float64]
    rank_ic: NDArray[np.float64]
    n: NDArray[np.int64]

    @staticmethod
    def empty(days: int) -> InformationCoefficients:
        """Of `days` days, nothing known yet."""
        return InformationCoefficients(np.full(days, np.nan), np.full(days, np.nan), np.zeros(days, np.int64))

    def at(self, rows: NDArray[np.intp]) -> InformationCoefficients:
        """The same at some days."""
        return InformationCoefficients(self.ic[rows], self.rank_ic[rows], self.n[rows])

    def put(self, rows: slice, found: InformationCoefficients) -> None:
        """Fill in the days `rows`."""
        self.ic[rows], self.rank_ic[rows], self.n[rows] = found.ic, found.rank_ic, found.n


@dataclass(frozen=True)
class Ties:
    """Runs of equal values in sorted rows (B, K): flat position of each run's first value, and how many it has."""

    first: Positions
    size: Positions

    @staticmethod
    def of(ordered: Floats) -> Ties:
        """Of rows in ascending order; what is infinite is missing, and not equal to anything."""
        equal = np.zeros(ordered.shape, dtype=np.bool_)
        np.equal(ordered[:, 1:], ordered[:, :-1], out=equal[:, 1:])
        equal &= ordered < np.inf
        follows = np.flatnonzero(equal)
        opens = np.flatnonzero(np.diff(follows, prepend=-2) > 1)
        return Ties(follows[opens] - 1, np.diff(opens, append=len(follows)) + 1)

    def doubled_ranks(self, kept: Bools) -> tuple[NDArray[np.int32], Array]:
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
            start = np.cumsum(self.size) - self.size
            members = np.arange(self.size.sum()) + np.repeat(self.first - start, self.size)
            flat[members] = np.repeat(before + last + 1, self.size)
            equal = (last - before).astype(np.float64)
            spread -= np.bincount(self.first // kept.shape[1], equal**3 - equal, minlength=len(kept))
        return ranks, spread / 3.0


@dataclass(frozen=True)
class Ordered:
    """The names of a universe on B days, packed to the front in ascending order of their scores.

    Attributes
    ----------
    places : (B, K)
        flat positions in (B, N) arrays; 0 behind the day's names.
    inside : (B, K) bool
        False behind the day's names.
    scores : (B, K) float64
        0 behind the day's names.
    ties : of the scores
    """

    places: Positions
    inside: Bools
    scores: Array
    ties: Ties

    def of(self, flags: Bools) -> Bools:
        """Flags (B, N) of the names: (B, K); meaningless behind the day's names."""
        return np.asarray(np.take(flags.ravel(), self.places))

    def paired(self, returns: Array) -> Array:
        """Returns (B, N) of the names: (B, K), inf where there is none and behind the day's names."""
        values: Array = np.take(returns.ravel(), self.places)
        values[~(self.inside & np.isfinite(values))] = np.inf  # sorts faster than NaN
        return values


def order_scores(scores: Floats) -> Positions:
    """(B, N) flat positions in ascending order of each row's scores; equals in the order of columns, missing last."""
    return ascending(np.where(np.isfinite(scores), scores, np.inf))


def pack(scores: Floats, order: Positions, mask: Bools) -> Ordered:
    """The names of `mask` (B, N) that have a score, given the `order` of the scores."""
    chosen = np.take((mask & np.isfinite(scores)).ravel(), order)
    count = chosen.sum(axis=1)
    width = -(-int(count.max(initial=0)) // _CHUNK) * _CHUNK
    inside = np.arange(width) < count[:, None]
    places = np.zeros(inside.shape, dtype=np.intp)
    places[inside] = order[chosen]
    values = np.where(inside, np.take(scores.ravel(), places), np.inf)
    return Ordered(places, inside, np.where(inside, values, 0.0), Ties.of(values))


def correlate(
    names: Ordered, returns: Array, subsets: Sequence[Bools], min_names: int
) -> list[InformationCoefficients]:
    """Coefficients of each subset (B, K) of the names with packed `returns` (B, K); infinite ones are missing."""
    order = ascending(returns)
    return_ties = Ties.of(np.take(returns.ravel(), order))
    have = returns < np.inf
    found = []
    for subset in subsets:
        kept = have & subset
        n = kept.sum(axis=1)
        score_ranks, score_spread = names.ties.doubled_ranks(kept)
        kept_ordered = np.take(kept.ravel(), order)
        return_ranks, return_spread = return_ties.doubled_ranks(kept_ordered)
        return_ranks *= kept_ordered
        pairs = np.multiply(np.take(score_ranks.ravel(), order), return_ranks, dtype=np.float64)
        product = pairs.sum(axis=1) - n * (n + 1.0) ** 2
        # Rank variance is exactly zero for a constant, in contrast to that of the values, which rounding may hide.
        rank_ic = _divide(product, np.sqrt(score_spread * return_spread))
        rank_ic[n < min_names] = np.nan
        x, y = _centred(names.scores, kept, n), _centred(returns, kept, n)
        ic = _divide(_dot(x, y), np.sqrt(_dot(x, x) * _dot(y, y)))
        ic[np.isnan(rank_ic)] = np.nan
        found.append(InformationCoefficients(ic, rank_ic, n))
    return found


def information_coefficients(
    scores: Floats, returns: Floats, mask: Bools, *, min_names: int = 2
) -> InformationCoefficients:
    """Of (T, N) scores and forward returns over `mask`, row by row; a pair with a missing side is left out."""
    result = InformationCoefficients.empty(len(scores))
    for rows in blocks(len(scores)):
        block = np.asarray(scores[rows], dtype=np.float64)
        names = pack(block, order_scores(block), mask[rows])
        paired = names.paired(np.asarray(returns[rows], dtype=np.float64))
        result.put(rows, correlate(names, paired, [names.inside], min_names)[0])
    return result


def pearson(x: Floats, y: Floats, mask: Bools) -> NDArray[np.float64]:
    """Correlation of each row of (T, N) `x` and `y` over finite pairs of `mask`; NaN where a side is constant: (T,)."""
    result = np.full(len(x), np.nan)
    for rows in blocks(len(x)):
        kept = mask[rows] & np.isfinite(x[rows]) & np.isfinite(y[rows])
        n = kept.sum(axis=1)
        a, b = _centred(x[rows], kept, n), _centred(y[rows], kept, n)
        result[rows] = _divide(_dot(a, b), np.sqrt(_dot(a, a) * _dot(b, b)))
    return result


def blocks(days: int) -> list[slice]:
    """Rows 0 … `days` in slices of `BLOCK`."""
    return [slice(first, min(first + BLOCK, days)) for first in range(0, days, BLOCK)]


def _centred(x: Floats, kept: Bools, n: NDArray[np.int64]) -> Array:
    values = np.zeros(x.shape)  # float64, whatever x is
    np.copyto(values, x, where=kept)
    values -= (row_sums(values) / np.maximum(n, 1))[:, None]
    values *= kept
    return values


def row_sums(x: Array) -> Array:
    """Sum of each row of (B, K), from the front on: whole chunks of zeros behind it change no bit.

    `numpy.sum` adds halves, which depend on the width, and so on the block's longest day.
    """
    return np.asarray(np.einsum("ij->i", x))


def _dot(x: Array, y: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", x, y))


def _divide(product: Array, scale: Array) -> Array:
    """NaN where a side is constant."""
    return np.asarray(np.divide(product, scale, out=np.full(len(product), np.nan), where=scale > 0))
