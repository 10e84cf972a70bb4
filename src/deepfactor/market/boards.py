"""Boards of the Chinese exchanges, read off a stock's code.

Source: the code ranges that the exchanges publish: SSE 600/601/603/605 main, 688/689 STAR; SZSE 000–004 main (the
former SME board, 002–004, became main on 2021-04-06 and always had its rules), 300–302 ChiNext; BSE 920 for listings
from 2024-04-22 on and, from 2025-10-09, for all; before, the codes of the New Third Board, 43/83/87/88 (889 are
subscriptions). Ranges are taken as wide as the exchanges keep them for A-shares: 60 and 00 whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from enum import IntEnum
from functools import lru_cache

import numpy as np

from deepfactor.core.arrays import Int8
from deepfactor.core.errors import DataError


class Board(IntEnum):
    """Where a stock is listed: decides its price limits and lots."""

    MAIN = 0
    CHINEXT = 1
    STAR = 2
    BEIJING = 3


#: Each board's first trading day.
OPENED: Mapping[Board, date] = {
    Board.MAIN: date(1990, 12, 19),
    Board.CHINEXT: date(2009, 10, 30),
    Board.STAR: date(2019, 7, 22),
    Board.BEIJING: date(2021, 11, 15),
}

#: Exchange suffix and leading digits of A-share codes; None = no stock. The first that fits counts.
_RANGES: Mapping[str, tuple[tuple[str, Board | None], ...]] = {
    "SH": (("60", Board.MAIN), ("688", Board.STAR), ("689", Board.STAR)),
    "SZ": (("00", Board.MAIN), ("30", Board.CHINEXT)),
    "BJ": (("889", None), *((prefix, Board.BEIJING) for prefix in ("43", "83", "87", "88", "92"))),
}


@lru_cache(maxsize=100_000)
def find_board(symbol: str) -> Board | None:
    """The board of an A-share symbol such as ``600000.SH``; None where it is none."""
    code, _, exchange = symbol.partition(".")
    if len(code) == 6 and code.isascii() and code.isdigit():
        for prefix, board in _RANGES.get(exchange, ()):
            if code.startswith(prefix):
                return board
    return None


def board_of(symbol: str) -> Board:
    """`find_board` of what must be an A-share.

    Raises
    ------
    DataError
        not six digits with an exchange suffix, or no A-share (funds, bonds, B-shares, indices).
    """
    board = find_board(symbol)
    if board is None:
        raise DataError(
            f"{symbol!r} is no A-share symbol: wanted six digits and an exchange as in 600000.SH, 000001.SZ, "
            "430047.BJ, with an A-share code (funds, bonds and B-shares are left out at the source)"
        )
    return board


def boards_of(symbols: Iterable[str]) -> Int8:
    """`board_of` of each symbol, as int8 (N,)."""
    return np.array([board_of(str(symbol)) for symbol in symbols], dtype=np.int8)
