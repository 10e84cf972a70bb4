"""Information coefficients: Pearson and Spearman correlation of score and forward return over each day's cross-section.

Ranks within any subset of a day's names come from dense ranks that are formed once a day (one sort), so that many
universes share the sorting: see `DenseRanks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfactor.panel.panel import Bools, Floats

#: Rows worked on at once: intermediate arrays of a few thousand columns stay in cache.
BLOCK = 32


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


@dataclass(frozen=True)
class DenseRanks:
    """Rows sorted once: `ids` (T, N) int32 numbers a row's distinct values from 0, ascending; equal values share one.

    Missing values come last, each with an id of its own; masks must leave them out.
    """

    ids: NDArray[np.int32]

    @staticmethod
    def of(values: Floats) -> DenseRanks:
        """Of (T, N) values, NaN = missing."""
        ids = np.zeros(values.shape, dtype=np.int32)
        for rows in _blocks(len(values)):
            order = np.argsort(values[rows], axis=1)
            ordered = np.take_along_axis(values[rows], order, axis=1)
            steps = np.zeros(order.shape, dtype=np.int32)
            np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1, dtype=np.int32, out=steps[:, 1:])
            np.put_along_axis(ids[rows], order, steps, axis=1)
        return DenseRanks(ids)

    def within(self, rows: slice, mask: Bools) -> NDArray[np.float64]:
        """Average ranks 1 … n of the names in `mask` among themselves, rows `rows`: (B, N); meaningless outside."""
        ids = self.ids[rows]
        size, width = ids.shape
        flat = ids + np.arange(size)[:, None] * width
        counts = np.bincount(flat[mask], minlength=size * width).reshape(size, width)
        last = np.cumsum(counts, axis=1)
        average = last - 0.5 * (counts - 1)
        ranks: NDArray[np.float64] = np.take(average.ravel(), flat)
        return ranks


def average_ranks(values: Floats, mask: Bools) -> NDArray[np.float64]:
    """Ranks 1 … n of each row's finite values inside `mask`, ties averaged; NaN elsewhere. (T, N) float64."""
    inside = mask & np.isfinite(values)
    ranks = DenseRanks.of(np.where(inside, values, np.nan)).within(slice(None), inside)
    return np.where(inside, ranks, np.nan)


def information_coefficients(
    scores: Floats, returns: Floats, mask: Bools, *, min_names: int = 2
) -> InformationCoefficients:
    """Of (T, N) scores and forward returns over `mask`, row by row; a pair with a missing side is left out."""
    return paired_coefficients(scores, DenseRanks.of(scores), returns, [mask], min_names=min_names)[0]


def paired_coefficients(
    scores: Floats, score_ranks: DenseRanks, returns: Floats, masks: list[Bools], *, min_names: int
) -> list[InformationCoefficients]:
    """As `information_coefficients` over several masks; `score_ranks` are those of `scores`."""
    return_ranks = DenseRanks.of(returns)
    T = len(scores)
    results = [InformationCoefficients(np.full(T, np.nan), np.full(T, np.nan), np.zeros(T, np.int64)) for _ in masks]
    for rows in _blocks(T):
        both = np.isfinite(scores[rows]) & np.isfinite(returns[rows])
        for mask, result in zip(masks, results, strict=True):
            inside = both & mask[rows]
            n = inside.sum(axis=1)
            rank_ic = _correlation(
                _centred_ranks(score_ranks, rows, inside, n), _centred_ranks(return_ranks, rows, inside, n)
            )
            # Rank variance is exactly zero for a constant, in contrast to that of the values, which rounding may hide.
            defined = (n >= min_names) & np.isfinite(rank_ic)
            result.n[rows] = n
            result.rank_ic[rows] = np.where(defined, rank_ic, np.nan)
            ic = _correlation(_centred(scores[rows], inside, n), _centred(returns[rows], inside, n))
            result.ic[rows] = np.where(defined, ic, np.nan)
    return results


def _correlation(x: Floats, y: Floats) -> NDArray[np.float64]:
    """Correlation of each row of two centred (B, N) arrays: (B,); NaN where a side is constant."""
    scale = np.sqrt(np.einsum("ij,ij->i", x, x) * np.einsum("ij,ij->i", y, y))
    product = np.einsum("ij,ij->i", x, y)
    correlation: NDArray[np.float64] = np.divide(product, scale, out=np.full(len(x), np.nan), where=scale > 0)
    return correlation


def _centred_ranks(ranks: DenseRanks, rows: slice, inside: Bools, n: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average ranks within `inside` minus their mean (n + 1)/2, exactly; 0 outside."""
    centred = ranks.within(rows, inside)
    centred -= 0.5 * (n + 1)[:, None]
    centred *= inside
    return centred


def _centred(x: Floats, inside: Bools, n: NDArray[np.int64]) -> NDArray[np.float64]:
    kept = np.zeros(x.shape)  # float64, whatever x is
    np.copyto(kept, x, where=inside)
    mean = kept.sum(axis=1) / np.maximum(n, 1)
    kept -= mean[:, None]
    kept *= inside
    return kept


def _blocks(T: int) -> list[slice]:
    return [slice(first, min(first + BLOCK, T)) for first in range(0, T, BLOCK)]
