"""Round lots: what an order may say. Lots bind orders only; a holding may have odd and fractional shares.

Source: SSE and SZSE trading rules 3.3 (100 shares; a remainder below 100 is sold in one order), STAR special trading
rules (at least 200, then single shares), BSE trading rules 3.3 (at least 100, then single shares).
"""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float64, Floats, Integers
from deepfactor.market.boards import Board

#: By board: the smallest order, and the step above it, in shares.
MINIMUM = np.array([100.0, 100.0, 200.0, 100.0])
STEP = np.array([100.0, 100.0, 1.0, 1.0])
assert len(MINIMUM) == len(STEP) == len(Board)

#: Shares by which a count may miss a whole number through float arithmetic.
_SLACK = 1e-6


def round_buy(shares: Floats, boards: Integers) -> Float64:
    """The largest allowed buy order not above `shares` (N,); 0 where the board's minimum isn't reached."""
    step = STEP[boards]
    whole = np.floor((shares + _SLACK) / step) * step
    return np.where(whole >= MINIMUM[boards], whole, 0.0)


def round_sell(shares: Floats, held: Floats, boards: Integers) -> Float64:
    """The largest allowed sell order not above `shares` (N,), given what is `held`.

    Selling out takes everything, odd lot and ex-date fraction included; anything less is rounded as a buy is.
    """
    return np.where(shares >= held - _SLACK, held, round_buy(shares, boards))
