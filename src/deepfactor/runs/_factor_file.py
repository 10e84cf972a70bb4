"""The columns date, symbol and score out of a file as people have them, in our types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.runs.written import require_written
from deepfactor.store.dates import NoDate, as_days, has_clock
from deepfactor.store.parquet import UNREADABLE, parquet_schema, read_parquet
from deepfactor.store.text_files import NoTable, form_to_read, open_text
from deepfactor.store.values import MISSING, kind_of

COLUMNS = ("date", "symbol", "score")
_TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class FactorTable:
    """A factor file's rows.

    Attributes
    ----------
    rows : row (u32, from 1 as in the file), date, symbol (text, as it is there), score (float64, null = none)
    clock : dates were times without a zone, and not midnight
    notes : what was understood otherwise than it stood there, a line each
    """

    rows: pl.DataFrame
    clock: bool = False
    notes: tuple[str, ...] = ()


def read_columns(path: Path, columns: Mapping[str, str], date_format: str | None) -> FactorTable:
    """The file's columns, `columns` = theirs to ours (date, symbol, score).

    Raises
    ------
    DataError
        no such file, not readable, a missing column, or a value that is no date, code or score; names the row.
    """
    require_written(path)
    if not path.is_file():
        raise DataError("no such factor file", file=path)
    try:
        frame, notes = _raw(path, columns)
    except NoTable as error:
        raise DataError(f"can't be read: {error}", file=path, row=error.row) from None
    frame = frame.with_row_index("row", offset=1)
    empty = pl.all_horizontal(pl.col(COLUMNS).is_null())
    if blank := frame.filter(empty).height:
        notes.append(f"empty rows left out: {blank:,}")
        frame = frame.filter(~empty)
    days = _days(path, frame, date_format)
    symbols = _symbols(path, frame)
    scores, told = _scores(path, frame)
    rows = frame.select("row").with_columns(days.alias("date"), symbols.alias("symbol"), scores.alias("score"))
    return FactorTable(rows, has_clock(frame["date"]), (*notes, *told))


def _raw(path: Path, columns: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """The columns as they are in the file, text as text with missing values null; and what is to be said of them."""
    notes: list[str] = []
    try:
        if form_to_read(path) == "parquet":
            there = parquet_schema(path).names()
            chosen = _choose(path, there, columns)
            frame = read_parquet(path, [there[at] for at in chosen.values()])
            frame = frame.select(pl.col(there[at]).alias(ours) for ours, at in chosen.items())
        else:
            table = open_text(path)
            there, notes = [name.strip() for name in table.head], _how_read(table.encoding, table.separator)
            chosen = _choose(path, there, columns)
            source = table.source if isinstance(table.source, Path) else BytesIO(table.source)
            frame = pl.read_csv(source, separator=table.separator, infer_schema=False, glob=False)
            frame = frame.select(pl.col(frame.columns[at]).alias(ours) for ours, at in chosen.items())
    except UNREADABLE as error:
        raise DataError(f"can't be read, is it damaged? {str(error).splitlines()[0]}", file=path) from None
    renamed = [f"{there[at]} as {ours}" for ours, at in chosen.items() if there[at] not in columns]
    unread = [name for at, name in enumerate(there) if at not in chosen.values()]
    notes += [f"columns read as the wanted: {', '.join(renamed)}"] if renamed else []
    notes += [f"columns not read: {', '.join(unread)}"] if unread else []
    return frame.with_columns(
        _without_missing(frame[name]) for name in frame.columns if frame[name].dtype == pl.String
    ), notes


def _choose(path: Path, there: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Our columns, and where the file has each: called as asked for, or so but for capitals where none is."""
    chosen = {}
    for wanted, ours in columns.items():
        places = [at for at, name in enumerate(there) if name == wanted]
        places = places or [at for at, name in enumerate(there) if name.strip().casefold() == wanted.casefold()]
        if len(places) > 1:
            message = f"is there {len(places)} times ({', '.join(there[at] for at in places)}): keep one"
            raise DataError(message, file=path, column=wanted)
        if not places:
            message = f"missing; the file has {', '.join(there)}; wanted are {', '.join(columns)}"
            raise DataError(message, file=path, column=wanted)
        chosen[ours] = places[0]
    return chosen


def _how_read(encoding: str, separator: str) -> list[str]:
    marks = {"\t": "tabs", ";": "semicolons", "|": "bars"}
    said = [encoding] if encoding != "UTF-8" else []
    said += [f"separated by {marks[separator]}"] if separator in marks else []
    return [f"read as {', '.join(said)}"] if said else []


def _without_missing(series: pl.Series) -> pl.Series:
    """Text that says "missing" as null."""
    missing = series.is_in(list(MISSING))
    return series.set(missing, None) if missing.any() else series


def _fault(path: Path, frame: pl.DataFrame, column: str, position: int, message: str) -> DataError:
    return DataError(message, file=path, row=int(frame["row"][position]), column=column)


def _days(path: Path, frame: pl.DataFrame, date_format: str | None) -> pl.Series:
    try:
        days = as_days(frame["date"], date_format)
    except NoDate as error:
        hint = " (--date-format)" if "Say which" in str(error) else ""
        row = None if error.position is None else int(frame["row"][error.position])
        raise DataError(f"{error}{hint}", file=path, row=row, column="date") from None
    if days.null_count():
        raise _fault(path, frame, "date", int(days.is_null().arg_true()[0]), "is missing")
    return days


def _symbols(path: Path, frame: pl.DataFrame) -> pl.Series:
    """Codes as text; whole numbers as they are written."""
    given = frame["symbol"]
    if given.dtype.is_float() or given.dtype.is_decimal():
        whole = given.cast(pl.Int64, strict=False)
        broken = (given.is_not_null() & (whole.cast(given.dtype) != given).fill_null(value=True)).arg_true()
        if len(broken):
            raise _fault(path, frame, "symbol", int(broken[0]), f"{given[int(broken[0])]} is no code such as 600000.SH")
        given = whole
    if not (given.dtype.is_integer() or isinstance(given.dtype, pl.String | pl.Categorical | pl.Enum)):
        raise DataError(f"holds {kind_of(given.dtype)}, wanted codes such as 600000.SH", file=path, column="symbol")
    if given.null_count():
        raise _fault(path, frame, "symbol", int(given.is_null().arg_true()[0]), "is missing")
    return given.cast(pl.String)


def _scores(path: Path, frame: pl.DataFrame) -> tuple[pl.Series, list[str]]:
    """Numbers, NaN as null; a type that holds none, and text that is none, is refused."""
    given = frame["score"]
    if given.dtype == pl.Boolean:
        return given.cast(pl.Float64), ["scores: true is 1, false is 0"]
    if given.dtype == pl.String:
        return _of_text(path, frame, given)
    if not (given.dtype.is_numeric() or given.dtype == pl.Null):
        raise DataError(f"holds {kind_of(given.dtype)}, wanted numbers", file=path, column="score")
    return given.cast(pl.Float64).fill_nan(None), []


def _of_text(path: Path, frame: pl.DataFrame, given: pl.Series) -> tuple[pl.Series, list[str]]:
    number = given.cast(pl.Float64, strict=False)
    if number.null_count() > given.null_count():
        given = _without_missing(given.str.strip_chars())
        number = given.cast(pl.Float64, strict=False)
    lost = (number.is_null() & given.is_not_null()).arg_true()
    if not len(lost):
        return number.fill_nan(None), []
    truth = given.str.to_lowercase().replace_strict(_TRUTH, default=None, return_dtype=pl.Float64)
    if truth.null_count() == given.null_count():
        return truth, ["scores: true is 1, false is 0"]
    text = given[int(lost[0])]
    raise _fault(path, frame, "score", int(lost[0]), f"{text!r} is no number{_advice(text)}")


def _advice(text: str) -> str:
    if "," in text:
        return ": write decimals with a point and thousands without a mark, as 1234.5"
    return ": write it without %, as 0.05" if text.endswith("%") else ""
