"""Round lots by board."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.market.boards import Board
from deepfactor.market.lots import round_buy, round_sell


@pytest.mark.parametrize(
    ("board", "shares", "expected"),
    [
        (Board.MAIN, 99.0, 0.0),
        (Board.MAIN, 100.0, 100.0),
        (Board.CHINEXT, 1299.9, 1200.0),
        (Board.STAR, 199.0, 0.0),
        (Board.STAR, 200.0, 200.0),
        (Board.STAR, 201.7, 201.0),
        (Board.BEIJING, 99.0, 0.0),
        (Board.BEIJING, 101.2, 101.0),
        (Board.MAIN, 299.9999999999, 300.0),  # float arithmetic, not an odd lot
        (Board.MAIN, 0.0, 0.0),
    ],
)
def test_buys(board: Board, shares: float, expected: float) -> None:
    assert round_buy(np.array([shares]), np.array([board])).tolist() == [expected]


@pytest.mark.parametrize(
    ("board", "shares", "held", "expected"),
    [
        (Board.MAIN, 250.0, 1000.0, 200.0),
        (Board.MAIN, 50.0, 50.0, 50.0),  # odd lot, selling out
        (Board.MAIN, 50.0, 350.0, 0.0),  # odd lot, not selling out
        (Board.MAIN, 350.25, 350.25, 350.25),  # ex-date fraction goes with the last sale
        (Board.MAIN, 1e9, 350.25, 350.25),
        (Board.STAR, 150.0, 150.0, 150.0),
        (Board.STAR, 150.0, 400.0, 0.0),
        (Board.STAR, 250.6, 400.0, 250.0),
        (Board.MAIN, 0.0, 0.0, 0.0),
    ],
)
def test_sells(board: Board, shares: float, held: float, expected: float) -> None:
    sold = round_sell(np.array([shares]), np.array([held]), np.array([board]))
    assert sold.tolist() == [expected]
