"""Ranks of a day in a byte each.

Of n stocks the one of rank k (1 = lowest, equals share their mean rank) has code 1 + ⌊255·(k − ½)/n⌋, 1 … 255; 0 =
missing. A code stands for the middle of its step, as a uniform of variance 1: ((code − ½)/255 − ½)·√12. A learner of
trees that bins in 255 loses nothing by it; a rank is known to 0.4 % of the stocks.
"""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Bools, Bytes, Float32, Float64, Indices, Integers

STEPS = 255
MISSING = 0


def _values() -> Float32:
    found = ((np.arange(STEPS + 1) - 0.5) / STEPS - 0.5) * np.sqrt(12.0)
    found[MISSING] = np.nan
    values: Float32 = found.astype(np.float32)
    return values


#: What each of the 256 codes stands for, (256,) float32; that of `MISSING` is NaN.
VALUES = _values()


def rank_codes(x: Float64) -> Bytes:
    """Codes of each row of (B, N) over its finite values."""
    return _codes(x, *_ordered(x))


def rank_codes_within(x: Float64, group: Integers) -> Bytes:
    """The same among the stocks of a row that share a `group` (B, N), a whole number from −1 on."""
    order, ordered, known = _ordered(x)
    ranks = _mean_ranks(ordered, known)
    base = _base(x)
    # By group, in it by rank: doubled mean ranks are whole, so are the numbers that are sorted.
    own = np.take(group, order).astype(np.int64) + 1
    step = 2 * x.shape[1] + 2
    keys = np.where(known, own * step + (2 * ranks).astype(np.int64), np.iinfo(np.int64).max)
    again = np.argsort(keys, axis=1) + base
    order, keys = np.take(order, again), np.take(keys, again)
    known = keys != np.iinfo(np.int64).max
    owner = np.where(known, keys // step, -1)
    first, last = _runs(owner)
    place = _mean_places(keys)
    codes = _steps(place - first, np.maximum(last - first + 1, 1))
    return _placed(x, order, np.where(known, codes, MISSING))


def _codes(x: Float64, order: Indices, ordered: Float64, known: Bools) -> Bytes:
    n = np.maximum(known.sum(axis=1, keepdims=True), 1)
    codes = _steps(_mean_ranks(ordered, known), n)
    return _placed(x, order, np.where(known, codes, MISSING))


def _ordered(x: Float64) -> tuple[Indices, Float64, Bools]:
    """Flat positions in ascending order of each row, missing last; the values so; which of them are there."""
    finite = np.where(np.isfinite(x), x, np.inf)
    order = np.argsort(finite, axis=1)
    order += _base(x)
    ordered = np.take(finite, order)
    return order, ordered, ordered < np.inf


def _base(x: np.ndarray) -> Indices:
    return np.asarray(np.arange(len(x))[:, None] * x.shape[1])


def _mean_ranks(ordered: Float64, known: Bools) -> Float64:
    """Places from 0 in sorted rows, those of equals averaged; meaningless where nothing is known."""
    ranks = np.broadcast_to(np.arange(ordered.shape[1], dtype=np.float64), ordered.shape).copy()
    equal = ordered[:, 1:] == ordered[:, :-1]
    equal &= known[:, 1:]
    for row in np.flatnonzero(equal.any(axis=1)):
        ranks[row] = _mean_places(ordered[row : row + 1])[0]
    return ranks


def _mean_places(ordered: np.ndarray) -> Float64:
    first, last = _runs(ordered)
    return (first + last) / 2


def _runs(ordered: np.ndarray) -> tuple[Indices, Indices]:
    """First and last place of the run of equals that each value of a sorted row is in."""
    places = np.broadcast_to(np.arange(ordered.shape[1]), ordered.shape)
    new = np.ones(ordered.shape, np.bool_)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, places, 0), axis=1)
    ends = np.ones(ordered.shape, np.bool_)
    ends[:, :-1] = new[:, 1:]
    far = np.where(ends, places, ordered.shape[1])
    last = np.minimum.accumulate(far[:, ::-1], axis=1)[:, ::-1]
    return first, last


def _steps(place: Float64, n: Indices) -> np.ndarray:
    """Codes of places from 0 among n; those beyond n are meaningless."""
    return np.minimum(((place + 0.5) * (STEPS / n)).astype(np.int32), STEPS - 1) + 1


def _placed(x: Float64, order: Indices, codes: np.ndarray) -> Bytes:
    out = np.empty(x.size, np.uint8)
    out[order.ravel()] = codes.ravel()
    return out.reshape(x.shape)
