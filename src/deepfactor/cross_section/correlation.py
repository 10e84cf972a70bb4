"""Correlations of two numbers over the stocks of a day: Pearson, and Spearman with average ranks for ties."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats, Int32, Ints
from deepfactor.cross_section.plain_size import constant_rows, in_plain_size
from deepfactor.cross_section.ranks import Ties, average_rank, flat_positions
from deepfactor.cross_section.rows import blocks, row_dots, row_sums


def spearman(x: Floats, y: Floats) -> float:
    """Of finite values (m,); 0 where one side has no spread. The same bits as `spearman_rows`: all sums are exact."""
    a, b = average_rank(x), average_rank(y)
    a -= a.mean()
    b -= b.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 0 else 0.0


def spearman_rows(x: Floats, x_orders: Int32, y: Floats, y_orders: Int32, kept: Bools) -> Float64:
    """Of rows of (B, N) `x` and `y`, finite over `kept`, whose `day_orders` are known: (B,)."""
    x_ranks, x_spread = _ranks(x, x_orders, kept)
    y_ranks, y_spread = _ranks(y, y_orders, kept)
    return spearman_of_ranks(x_ranks, y_ranks, np.count_nonzero(kept, axis=1), x_spread * y_spread)


def _ranks(x: Floats, orders: Int32, kept: Bools) -> tuple[Int32, Float64]:
    """`Ties.doubled_ranks` in the order of columns, 0 outside `kept`."""
    order = flat_positions(orders)
    ordered, spread = Ties.of(np.take(x, order)).doubled_ranks(np.take(kept, order))
    ranks = np.zeros(kept.shape, np.int32)
    ranks.ravel()[order] = ordered
    ranks *= kept
    return ranks, spread


def spearman_of_ranks(x: Int32, y: Int32, n: Ints, spreads: Float64) -> Float64:
    """Of doubled ranks, one side 0 outside the `n` names of each row; `spreads`: product of those of the two sides."""
    product = np.multiply(x, y, dtype=np.float64).sum(axis=1) - n * (n + 1.0) ** 2
    return _divide(product, np.sqrt(spreads))


def pearson_rows(x: Floats, y: Floats, mask: Bools) -> Float64:
    """Correlation of each row of (T, N) `x` and `y` over finite pairs of `mask`; NaN where a side is constant: (T,)."""
    result = np.full(len(x), np.nan)
    for rows in blocks(*x.shape):
        kept = mask[rows] & np.isfinite(x[rows]) & np.isfinite(y[rows])
        n = np.count_nonzero(kept, axis=1)
        a, b = (_centred(side[rows], kept, n) for side in (x, y))
        result[rows] = _divide(row_dots(a, b), np.sqrt(row_dots(a, a) * row_dots(b, b)))
    return result


def pearson_of_packed(x: Float64, y: Float64, kept: Bools, n: Ints) -> Float64:
    """Of the `n` names of each row that are `kept`; `x` and `y` lie about 0, so their squares' sums lose nothing."""
    weight = kept.astype(np.float64)
    x, y = x * weight, y * weight
    a, b, n = row_sums(x), row_sums(y), np.maximum(n, 1)
    spreads = (row_dots(x, x) - a * a / n) * (row_dots(y, y) - b * b / n)
    return _divide(row_dots(x, y) - a * b / n, np.sqrt(np.maximum(spreads, 0.0)))


def _centred(x: Floats, kept: Bools, n: Ints) -> Float64:
    """Values, in plain size, less the mean of the `n` of each row that are `kept`; 0 elsewhere."""
    values = in_plain_size(np.where(kept, x, 0.0).astype(np.float64, copy=False))
    values -= (row_sums(values) / np.maximum(n, 1))[:, None]
    values *= kept
    values[constant_rows(x, kept)] = 0.0  # what is left there is the mean's rounding
    return values


def _divide(product: Float64, scale: Float64) -> Float64:
    """NaN where a side is constant."""
    return np.asarray(np.divide(product, scale, out=np.full(len(product), np.nan), where=scale > 0))
