"""Boards of the Chinese exchanges, read off a stock's code.

Source: the code ranges that the exchanges publish: SSE 600/601/603/605 main, 688/689 STAR; SZSE 000–004 main (the
former SME board, 002–004, became main on 2021-04-06 and always had its rules), 300–302 ChiNext; BSE 43/83/87/88 and,
from 2024, 92.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from deepfactor.core.errors import DataError


class Board(IntEnum):
    """Where a stock is listed: decides its price limits and lots."""

    MAIN = 0
    CHINEXT = 1
    STAR = 2
    BEIJING = 3


#: Exchange suffix and leading digits of A-share codes.
_RANGES: dict[str, tuple[tuple[str, Board], ...]] = {
    "SH": (("60", Board.MAIN), ("688", Board.STAR), ("689", Board.STAR)),
    "SZ": (("00", Board.MAIN), ("30", Board.CHINEXT)),
    "BJ": (("4", Board.BEIJING), ("8", Board.BEIJING), ("92", Board.BEIJING)),
}


def board_of(symbol: str) -> Board:
    """The board of an A-share symbol such as ``600000.SH``.

    Raises
    ------
    DataError
        not six digits with an exchange suffix, or no A-share (funds, bonds, B-shares, indices).
    """
    code, _, exchange = symbol.partition(".")
    if len(code) == 6 and code.isascii() and code.isdigit():
        for prefix, board in _RANGES.get(exchange, ()):
            if code.startswith(prefix):
                return board
    raise DataError(
        f"{symbol!r} is no A-share symbol: wanted six digits and an exchange as in 600000.SH, 000001.SZ, 430047.BJ, "
        "with an A-share code (funds, bonds and B-shares are left out at the source)"
    )


def boards_of(symbols: Iterable[str]) -> NDArray[np.int8]:
    """`board_of` of each symbol, as int8 (N,)."""
    return np.array([board_of(str(symbol)) for symbol in symbols], dtype=np.int8)
