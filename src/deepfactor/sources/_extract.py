"""Rows that were read, and where each of them stands: in one file, in one of several, in a query's result."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError

#: Rows that are wanted: a column = its values, or its first and last date (None = open).
Among = Mapping[str, Sequence[str] | tuple[date | None, date | None]]


@dataclass(frozen=True)
class Pieces:
    """Files whose rows stand one behind the other; `starts` = rows before each of them."""

    files: tuple[Path, ...]
    starts: tuple[int, ...]

    def place(self, number: int) -> tuple[Path, int]:
        """The file of the row `number` (from 1, over all files), and its number there."""
        at = bisect_right(self.starts, number - 1) - 1
        return self.files[at], number - self.starts[at]


@dataclass(frozen=True)
class Extract:
    """Rows of files, or of a query's result, that are wanted.

    Attributes
    ----------
    origin : where they come from: a file's path, several files, or the table (ours) whose query gave them
    frame : the rows, as they were there; CSV as text
    numbers : their row numbers there, from 1 (a CSV's head not counted); None = all rows are here, as they were
    """

    origin: Path | Pieces | str
    frame: pl.DataFrame
    numbers: pl.Series | None = None

    def __getitem__(self, column: str) -> pl.Series:
        return self.frame[column]

    def keep(self, mask: pl.Series) -> Extract:
        """The rows where `mask` holds."""
        return Extract(self.origin, self.frame.filter(mask), self._numbered().filter(mask))

    def without(self, columns: Collection[str]) -> Extract:
        """The same rows, less these columns, whose memory is free once nobody else holds them; one column stays."""
        gone = [name for name in self.frame.columns if name in columns]
        return replace(self, frame=self.frame.drop(gone[len(gone) == self.frame.width :]))

    def taken(self, order: pl.Series) -> Extract:
        """The rows at these places, in this order."""
        return Extract(self.origin, self.frame[order], self._numbered().gather(order))

    def _numbered(self) -> pl.Series:
        return pl.int_range(1, self.frame.height + 1, eager=True) if self.numbers is None else self.numbers

    def fault(self, message: str, column: str | None = None, position: int | None = None) -> DataError:
        """The error for `column`, and for the row at `position` (from 0) of `frame`."""
        row = position
        if position is not None:
            row = position + 1 if self.numbers is None else int(self.numbers[position])
        if isinstance(self.origin, str):
            return DataError(message, table=self.origin, row=row, column=column)
        if isinstance(self.origin, Path):
            return DataError(message, file=self.origin, row=row, column=column)
        file, row = self.origin.place(row) if row is not None else (self.origin.files[0].parent, None)
        return DataError(message, file=file, row=row, column=column)
