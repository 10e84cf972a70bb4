"""Small tables that people and brokers write: holdings, lists, fills, prices. Every cell knows its place."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deepfactor.core.arrays import Symbols
from deepfactor.core.days import day_of
from deepfactor.core.errors import DataError
from deepfactor.market.boards import find_board
from deepfactor.market.codes import what_is
from deepfactor.market.vendor_codes import as_market_has_them
from deepfactor.store.text_files import NoTable, form_to_read, open_text
from deepfactor.store.values import MISSING

#: Shares or CNY beyond are no holding of anyone's.
MOST = 1e13
#: How spreadsheets are kept from reading a code as a number.
_AS_TEXT = re.compile(r'="(.*)"')
_LINE = re.compile(r"[A-Za-z._]*\d{1,6}[A-Za-z._]*", re.ASCII)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Column:
    """A column that a table may have: our name of it, and what else it is called, the likeliest first."""

    name: str
    also: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Cells:
    """The rows of a table, as text.

    Attributes
    ----------
    path : of the file
    heads : our name of a column → the file's; those that the file lacks are left out
    rows : number of each row, from 1 behind the head
    texts : our name → a cell a row, "" where it is empty or says "missing"
    """

    path: Path
    heads: Mapping[str, str]
    rows: tuple[int, ...]
    texts: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, column: str) -> bool:
        return column in self.heads

    def only(self, kept: Sequence[int]) -> Cells:
        """The rows at the positions `kept`."""
        texts = {name: tuple(cells[k] for k in kept) for name, cells in self.texts.items()}
        return Cells(self.path, self.heads, tuple(self.rows[k] for k in kept), texts)

    def fault(self, k: int, column: str, message: str) -> DataError:
        """An error in the cell of row `k` (a position) and `column` (our name)."""
        return DataError(message, file=self.path, row=self.rows[k], column=self.heads.get(column, column))

    def taken(self, column: str, read: Callable[[str], Value]) -> list[Value]:
        """What `read` makes of each cell of `column`; its `ValueError` says what is wrong with one."""
        values = []
        for k, text in enumerate(self.texts[column]):
            try:
                values.append(read(text))
            except ValueError as error:
                raise self.fault(k, column, str(error)) from None
        return values

    def numbers(
        self, column: str, *, empty: float | None = None, whole: bool = False, least: float = 0.0
    ) -> list[float]:
        """The numbers of a column, at least `least`; an empty cell is `empty`, an error without one."""

        def read(text: str) -> float:
            if not text and empty is not None:
                return empty
            value = number(text)
            if value < least:
                raise ValueError(f"{text} is negative" if least == 0 else f"{text} is less than {least:g}")
            if whole and value != int(value):
                raise ValueError(f"{text} is no whole number of shares")
            return value

        return self.taken(column, read)

    def symbols(self, known: Symbols, former: Mapping[str, str], column: str = "symbol") -> list[str]:
        """The codes of a column as the market has them, in whatever form they are written, former codes as today's."""
        own = frozenset(known.tolist())
        meant = as_market_has_them(self.texts[column], own)

        def read(text: str) -> str:
            if not text:
                raise ValueError("the code is missing")
            symbol = former.get(meant[text], meant[text])
            if symbol in own:
                return symbol
            there = find_board(symbol) is not None
            what = "an A-share that this market doesn't have" if there else what_is(symbol)
            raise ValueError(f"unknown code {text!r}: {what}")

        return self.taken(column, read)

    def refuse_repeats(self, keys: Sequence[object], column: str = "symbol") -> None:
        """A `DataError` at the first row whose key an earlier row has."""
        first: dict[object, int] = {}
        for k, key in enumerate(keys):
            if key in first:
                said = self.texts[column][k]
                raise self.fault(k, column, f"{said} stands in row {self.rows[first[key]]} already: keep one row of it")
            first[key] = k


def read_cells(path: Path, columns: Sequence[Column], *, bare: bool = False) -> Cells:
    """The cells of a text file: UTF-8, UTF-16 or GBK, by commas, tabs, semicolons or bars; other columns are left out.

    Parameters
    ----------
    bare : a file without a head, whose first line is a code, is taken to have the first of `columns`, in their order.

    Raises
    ------
    DataError
        no such file, no table, a column that is missing.
    """
    if not path.is_file():
        raise DataError("no such file", file=path)
    try:
        if form_to_read(path) == "parquet":
            raise DataError("is a parquet file: give it as CSV", file=path)
        table = open_text(path)
    except NoTable as error:
        raise DataError(f"can't be read: {error}", file=path, row=error.row) from None
    content = table.source.read_bytes() if isinstance(table.source, Path) else table.source
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=table.separator))
    except csv.Error as error:
        raise DataError(f"can't be read: {error}; is a quotation mark left open?", file=path) from None
    if bare and _LINE.fullmatch(_clean(lines[0][0])):
        places = {column.name: at for at, column in enumerate(columns[: len(lines[0])])}
        heads = {name: name for name in places}
    else:
        places = _places(path, [cell.strip() for cell in lines[0]], columns)
        heads = {name: lines[0][at].strip() for name, at in places.items()}
        lines = lines[1:]
    rows = [(row, line) for row, line in enumerate(lines, 1) if any(cell.strip() for cell in line)]
    texts = {name: tuple(_clean(line[at]) for _, line in rows) for name, at in places.items()}
    return Cells(path, heads, tuple(row for row, _ in rows), texts)


def _clean(cell: str) -> str:
    text = cell.strip()
    wrapped = _AS_TEXT.fullmatch(text)
    text = wrapped[1].strip() if wrapped else text.lstrip("'")
    return "" if text in MISSING else text


def _places(path: Path, head: Sequence[str], columns: Sequence[Column]) -> dict[str, int]:
    """Our name of each column that the head has → where."""
    folded = [name.casefold() for name in head]
    found = {}
    for column in columns:
        at = next(
            (folded.index(name.casefold()) for name in (column.name, *column.also) if name.casefold() in folded), -1
        )
        if at >= 0:
            if folded.count(folded[at]) > 1:
                raise DataError("is there more than once: keep one", file=path, column=head[at])
            found[column.name] = at
        elif column.required:
            known = f" (or {', '.join(column.also)})" if column.also else ""
            raise DataError(f"missing{known}; the file has {', '.join(head)}", file=path, column=column.name)
    return found


def number(text: str) -> float:
    """The finite number that a cell holds; a `ValueError` says what it is else."""
    if not text:
        raise ValueError("is empty, wanted a number")
    try:
        value = float(text)
    except ValueError:
        advice = ": write thousands without a mark, as 1234.5" if "," in text else ""
        raise ValueError(f"{text!r} is no number{advice}") from None
    if not math.isfinite(value) or abs(value) > MOST:
        raise ValueError(f"{text} can't be meant")
    return value


def fen(text: str) -> float:
    """CNY in whole fen, ≥ 0; a `ValueError` says what it is else."""
    value = number(text)
    if value < 0:
        raise ValueError(f"{text} is negative")
    if abs(value - round(value, 2)) > 1e-9 * max(value, 1.0):
        raise ValueError(f"{text} CNY is no whole number of fen")
    return round(value, 2)


def day(text: str) -> str:
    """The day that a cell holds, ISO; a `ValueError` says what it is else."""
    return day_of(text).isoformat()
