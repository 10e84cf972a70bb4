"""The files of a qlib data folder: calendar, spans of instruments, and one binary a symbol and field.

::

    calendars/day.txt                       a trading day a line; day_future.txt reaches past the last day with data
    instruments/<name>.txt                  symbol, first day, last day, separated by tabs
    features/<symbol>/<field>.day.bin       float32, little endian; the first is the calendar's row of the second

Format: qlib's documentation, "Data Layer", and its ``scripts/dump_bin.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.core.arrays import Dates, Float32, Float64
from deepfactor.core.errors import DataError
from deepfactor.market.boards import find_board
from deepfactor.store.dates import NoDate, as_days

ENDING = ".day.bin"
_CODE = re.compile(r"(SH|SZ|BJ)(\d{6})", re.IGNORECASE)
_INDEX_CODE = re.compile(r"000\d{3}\.SH|399\d{3}\.SZ")


@dataclass(frozen=True)
class SymbolSpan:
    """A line of an instruments file: a symbol (ours) from `start` to `end`, both included."""

    symbol: str
    start: date
    end: date

    def end_before(self, last: date) -> date | None:
        """Its last day where that lies before `last`, else None: it is still open."""
        return self.end if self.end < last else None


def our_code(code: str, file: Path, row: int | None = None) -> str:
    """``SH600000``, in any case, as ``600000.SH``; a `DataError` for any other form."""
    match = _CODE.fullmatch(code)
    if match is None:
        raise DataError(f"{code!r} is no code of the Chinese market, such as SH600000", file=file, row=row)
    return f"{match[2]}.{match[1].upper()}"


def is_index(symbol: str) -> bool:
    """Whether a code (ours) is one of an index: 000xxx in Shanghai, 399xxx in Shenzhen."""
    return _INDEX_CODE.fullmatch(symbol) is not None


def is_stock(symbol: str) -> bool:
    """Whether a code (ours) is an A-share's: no index, fund, bond or B-share."""
    return find_board(symbol) is not None


def read_calendar(file: Path) -> Dates:
    """The days of a calendar file, ascending.

    Raises
    ------
    DataError
        no such file, no day in it, a line that is no date, or days that don't ascend.
    """
    if not file.is_file():
        raise DataError("there is no such file: is --folder a qlib data folder?", file=file)
    lines = _lines(file)
    if not lines:
        raise DataError("holds no day", file=file)
    days = _days([line for _, line in lines], [row for row, _ in lines], file)
    calendar = np.array(days, dtype="datetime64[D]")
    falls = np.flatnonzero(calendar[1:] <= calendar[:-1])
    if len(falls):
        at = int(falls[0]) + 1
        raise DataError(f"{calendar[at]} follows {calendar[at - 1]}: days must ascend", file=file, row=lines[at][0])
    return calendar


def read_spans(file: Path) -> list[SymbolSpan]:
    """The lines of an instruments file; a `DataError` names file and row of one that is wrong."""
    rows, symbols, starts, ends = [], [], [], []
    for row, line in _lines(file):
        parts = line.split("\t") if "\t" in line else line.split()
        if len(parts) < 3:
            raise DataError(f"{line!r}: wanted symbol, first day, last day", file=file, row=row)
        rows.append(row)
        symbols.append(our_code(parts[0].strip(), file, row))
        starts.append(parts[1])
        ends.append(parts[2])
    if not rows:
        raise DataError("holds no symbol: fill it or take it away", file=file)
    return [SymbolSpan(*span) for span in zip(symbols, _days(starts, rows, file), _days(ends, rows, file), strict=True)]


def read_field(file: Path, days: int) -> tuple[int, Float32]:
    """First row in the calendar, and the values (n,) from there on; NaN = missing.

    Parameters
    ----------
    days : days of the calendar

    Raises
    ------
    DataError
        no such file, a length that is not whole float32 numbers, or a span that leaves the calendar.
    """
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        raise DataError("there is no such file, but other symbols have this field: dump it anew", file=file) from None
    if size < 4 or size % 4:
        raise DataError(f"has {size} bytes, wanted float32 numbers of 4 bytes: is it cut off?", file=file)
    content = np.fromfile(file, dtype="<f4")
    first, values = float(content[0]), content[1:]
    if not (first >= 0 and first == int(first)):  # NaN fails too
        raise DataError(f"its first value is {first}, wanted the calendar's row of the first day", file=file, row=1)
    if first >= days or first + len(values) > days:
        message = f"holds calendar rows {first:.0f} to {first + len(values) - 1:.0f}, but the calendar has {days} days"
        raise DataError(f"{message}: is calendars/day.txt of the same delivery?", file=file, row=1)
    return int(first), values.astype(np.float32, copy=False)


def read_index(folder: Path, days: int) -> Float64:
    """The closes of an index on the calendar's `days`, divided by their factor where it has one; NaN = none.

    Raises
    ------
    DataError
        as `read_field`, or a factor that does not cover the closes.
    """
    first, close = read_field(folder / f"close{ENDING}", days)
    values = close.astype(np.float64)
    factor = folder / f"factor{ENDING}"
    if factor.is_file():
        begin, by = read_field(factor, days)
        if begin != first or len(by) != len(close) or not (by[~np.isnan(close)] > 0).all():
            raise DataError("does not cover the index's close with positive numbers", file=factor)
        values /= by
    whole = np.full(days, np.nan)
    whole[first : first + len(values)] = values
    return whole


def _lines(file: Path) -> list[tuple[int, str]]:
    """Lines that aren't empty, with their numbers from 1."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"is no text: {error.reason}", file=file) from None
    return [(row, line.strip()) for row, line in enumerate(text.splitlines(), 1) if line.strip()]


def _days(texts: list[str], rows: list[int], file: Path) -> list[date]:
    """Text as dates, each of the line in `rows`."""
    try:
        days = as_days(pl.Series(texts, dtype=pl.String))
    except NoDate as error:
        raise DataError(str(error), file=file, row=rows[error.position or 0]) from None
    if days.null_count():
        position = int(days.is_null().arg_true()[0])
        raise DataError(f"{texts[position]!r} is no date", file=file, row=rows[position])
    return days.to_list()
