"""Codes to boards."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.market.boards import Board, board_of, boards_of


@pytest.mark.parametrize(
    ("symbol", "board"),
    [
        ("600000.SH", Board.MAIN),
        ("605599.SH", Board.MAIN),
        ("000001.SZ", Board.MAIN),
        ("002594.SZ", Board.MAIN),
        ("300750.SZ", Board.CHINEXT),
        ("301236.SZ", Board.CHINEXT),
        ("302132.SZ", Board.CHINEXT),
        ("688981.SH", Board.STAR),
        ("689009.SH", Board.STAR),
        ("430047.BJ", Board.BEIJING),
        ("835185.BJ", Board.BEIJING),
        ("920002.BJ", Board.BEIJING),
    ],
)
def test_board_of_each_code_range(symbol: str, board: Board) -> None:
    assert board_of(symbol) is board


@pytest.mark.parametrize(
    "symbol",
    [
        *("000300.SH", "600000", "SH600000", "900901.SH", "200002.SZ", "510300.SH", "60000.SH", "300750.SH", ""),
        *("899050.BJ", "889001.BJ", "820001.BJ", "400001.BJ"),
    ],
)
def test_what_is_no_a_share_is_refused_by_name(symbol: str) -> None:
    with pytest.raises(DataError, match="no A-share symbol") as error:
        board_of(symbol)
    assert repr(symbol) in str(error.value)


def test_boards_of_keeps_order() -> None:
    boards = boards_of(np.array(["688981.SH", "600000.SH", "430047.BJ", "300001.SZ"]))
    assert boards.dtype == np.int8
    assert boards.tolist() == [2, 0, 3, 1]
