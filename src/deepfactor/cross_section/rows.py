"""Days worked on at once, and sums along their rows that don't depend on how many columns lie behind."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float64

#: Numbers worked on at once: intermediate arrays stay in cache.
_BLOCK = 1 << 16
#: Width of packed rows is a multiple of this; see `row_sums`.
CHUNK = 64


def blocks(days: int, columns: int) -> list[slice]:
    """Rows of (days, columns) in slices of about `_BLOCK` numbers."""
    step = max(1, _BLOCK // max(1, columns))
    return [slice(first, min(first + step, days)) for first in range(0, days, step)]


def row_sums(x: Float64) -> Float64:
    """Sum of each row of (B, K), from the front on: whole chunks of zeros behind it change no bit.

    `numpy.sum` adds halves, which depend on the width, and so on the block's longest day.
    """
    return np.asarray(np.einsum("ij->i", x))


def row_dots(x: Float64, y: Float64) -> Float64:
    """Scalar product of each row of (B, K) `x` and `y`."""
    return np.asarray(np.vecdot(x, y))
