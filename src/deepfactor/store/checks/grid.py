"""Rows of `daily` as days × symbols, to compare a day with its neighbours and a board with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from deepfactor.core.arrays import AnyArray
from deepfactor.market.boards import Board, find_board

#: Days worked on at once.
_BLOCK = 64
_PLACES: Mapping[tuple[str, Board | None], str] = {
    ("SH", Board.MAIN): "Shanghai main board",
    ("SZ", Board.MAIN): "Shenzhen main board",
    ("SZ", Board.CHINEXT): "ChiNext",
    ("SH", Board.STAR): "STAR",
    ("BJ", Board.BEIJING): "Beijing",
}


@dataclass(frozen=True)
class Grid:
    """T days × N symbols.

    Attributes
    ----------
    days : (T,) datetime64[D], ascending
    symbols : N codes, ascending
    place : (n,) int64
        where each row lies in a flat (T, N) array.
    traded : (T, N) bool
        a row with a volume.
    """

    days: AnyArray
    symbols: pl.Series
    place: AnyArray
    traded: AnyArray

    @staticmethod
    def of(daily: pl.DataFrame) -> Grid:
        """Of rows whose keys are right."""
        symbol = daily["symbol"]
        if not isinstance(symbol.dtype, pl.Enum):
            symbol = symbol.cast(pl.String).cast(pl.Enum(symbol.unique().cast(pl.String).sort()))
        symbols = pl.Series(symbol.dtype.categories)  # type: ignore[attr-defined]
        number = daily["date"].to_physical().to_numpy()
        first = int(number.min())
        there = np.zeros(int(number.max()) - first + 1, np.bool_)
        there[number - first] = True
        row = (np.cumsum(there) - 1)[number - first]
        place = row * len(symbols) + symbol.to_physical().to_numpy()
        days = (np.flatnonzero(there) + first).astype("datetime64[D]")
        traded = np.zeros((len(days), len(symbols)), np.bool_)
        traded.ravel()[place] = (daily["volume"] > 0).fill_null(value=False).to_numpy()
        return Grid(days, symbols, place, traded)

    def filled(self, values: pl.Series) -> AnyArray:
        """(T, N) float32 of a value a row; NaN where there is none."""
        out = np.full(self.traded.shape, np.nan, np.float32)
        out.ravel()[self.place] = values.to_numpy()
        return out

    def by_board(self, flags: AnyArray) -> AnyArray:
        """(D, boards) how many of the flags (D, N) of each day are set."""
        masks = np.array(list(self.boards.values()), np.float32).T
        blocks = [flags[at : at + _BLOCK].astype(np.float32) @ masks for at in range(0, len(flags), _BLOCK)]
        return np.concatenate(blocks).astype(np.int64)

    @cached_property
    def boards(self) -> dict[str, AnyArray]:
        """(N,) whether a symbol is of a board, by the board's name with its exchange."""
        names = [board_name(symbol) for symbol in self.symbols]
        return {name: np.array([one == name for one in names]) for name in dict.fromkeys(names)}


def board_name(symbol: str) -> str:
    """A symbol's board and exchange in words."""
    return _PLACES.get((symbol[-2:], find_board(symbol)), "other codes")
