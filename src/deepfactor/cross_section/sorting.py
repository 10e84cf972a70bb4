"""The order of each row's values by radix sort, which takes half the time of numpy's sort of float64 positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepfactor.core.arrays import Float64, Floats, Indices, Int32, Integers

#: Codes of finite values are 0 … _TOP − 1, that of missing ones is _TOP.
_TOP = 2**32 - 1
#: Shorter rows are sorted by value.
_LONG = 100


def ascending(values: Float64) -> Indices:
    """(B, K) flat positions of each row's values in ascending order; equals in the order of columns, inf last."""
    return sort_rows(values)[0]


def sort_rows(values: Float64) -> tuple[Indices, Float64]:
    """The same, and (B, K) the values in that order.

    Values become 32-bit codes, linear between the row's least and largest, whose 16-bit halves numpy sorts by radix.
    A larger value never has a smaller code, but close ones may share theirs: rows where that shows are sorted by value.
    NaN isn't allowed.
    """
    first = np.arange(len(values))[:, None] * values.shape[1]
    if values.shape[1] < _LONG:
        order = np.argsort(values, axis=1, kind="stable")
        order += first
        return order, np.take(values, order)
    codes = _codes(values)
    order = np.argsort(codes.astype(np.uint16), axis=1, kind="stable")
    order += first
    upper = np.take((codes >> np.uint32(16)).astype(np.uint16), order)
    by_upper = np.argsort(upper, axis=1, kind="stable")
    by_upper += first
    order = np.take(order, by_upper)
    ordered = np.take(values, order)
    for row in np.flatnonzero((ordered[:, 1:] < ordered[:, :-1]).any(axis=1)):
        order[row] = np.argsort(values[row], kind="stable") + first[row]
        ordered[row] = np.take(values, order[row])
    return order, ordered


def _codes(values: Float64) -> NDArray[np.uint32]:
    """Whole numbers that never fall where a row's value rises."""
    missing = values == np.inf
    low = values.min(axis=1)
    low[low == np.inf] = 0.0  # nothing is there
    filled = np.where(missing, low[:, None], values)
    with np.errstate(over="ignore", divide="ignore"):
        span = filled.max(axis=1) - low
        scale = (_TOP - 1) / span
    plain = np.isfinite(span) & np.isfinite(scale)
    if not plain.all():  # constant, or a range that a double can't divide
        filled[~plain], low[~plain], scale[~plain] = 0.0, 0.0, 0.0
    filled -= low[:, None]
    filled *= scale[:, None]
    np.copyto(filled, _TOP, where=missing)
    return filled.astype(np.uint32)


def ranked(score: Floats, order: Int32 | None = None) -> Integers:
    """Positions of the finite scores (N,), ascending; equals in no order that may count.

    `order` : (N,) such positions of scores that `score` is a part of, where they are known.
    """
    if order is None:
        order = np.argsort(score, kind="stable").astype(np.int32)
    return np.asarray(order[np.isfinite(np.take(score, order))])
