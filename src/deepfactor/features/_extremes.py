"""The largest value of a stock's last days, and how long ago it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Float64, Ints

_NOTHING = np.iinfo(np.int64).min
_ROW = 2**32 - 1
_SIGN = np.int32(2**31 - 1)


@dataclass(frozen=True)
class Largest:
    """`value` (R, N) in single precision, of the last one so large, and `ago`, the rows since; NaN = nothing."""

    value: Float64
    ago: Float64


def largest(x: Float64, windows: Sequence[int], rows: slice) -> Mapping[int, Largest]:
    """The largest value of (R, N) over the last rows of each of `windows`, at each of `rows`; NaN is no value.

    A value and its row are packed into a whole number that sorts by the value, then the row. The maximum over d rows is
    that of two stretches of a power of two, the later and the earlier one, which may overlap.
    """
    known = np.isfinite(x)
    bits = np.where(known, x, 0.0).astype(np.float32).view(np.int32)
    bits = np.where(bits < 0, bits ^ _SIGN, bits)  # as the values sort
    row = np.arange(len(x), dtype=np.int64)[:, None]
    power = np.where(known, (bits.astype(np.int64) << 32) + row, _NOTHING)
    found, span = {}, 1
    now = np.arange(rows.start, rows.stop, rows.step or 1)
    for days in sorted(windows):
        while span * 2 <= days:
            power[span:] = np.maximum(power[span:], power[:-span])
            span *= 2
        found[days] = _unpacked(_two(power, now, days - span), now)
    return found


def _two(power: Ints, now: np.ndarray, back: int) -> Ints:
    """The larger of the stretch that ends at a row and of that which ends `back` rows before."""
    top: Ints = power[now]
    if back:
        earlier = np.where((now >= back)[:, None], power[np.maximum(now - back, 0)], _NOTHING)
        np.maximum(top, earlier, out=top)
    return top


def _unpacked(packed: Ints, now: np.ndarray) -> Largest:
    there = packed != _NOTHING
    bits = (packed >> 32).astype(np.int32)
    value = np.where(bits < 0, bits ^ _SIGN, bits).view(np.float32).astype(np.float64)
    ago = (now[:, None] - (packed & _ROW)).astype(np.float64)
    return Largest(np.where(there, value, np.nan), np.where(there, ago, np.nan))
