"""The columns date, symbol and score out of a file as people have them, in our types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence, Text
from deepfactor.runs._factor_layout import DATE, SCORE, SYMBOL, Columns, Layout, lay_out, listed
from deepfactor.runs._factor_opened import OpenedFile, open_factor_file, without_missing
from deepfactor.store.dates import NoDate, as_days, has_clock
from deepfactor.store.values import kind_of

COLUMNS = (DATE, SYMBOL, SCORE)
_TRUTH = {"true": 1.0, "false": 0.0}
_FLAGS = Sentence("scores: true is 1, false is 0", "得分：true 记为 1，false 记为 0")
_EMPTY = Sentence("empty rows left out: {n}", "空行未计入：{n}")
_RENAMED = Sentence("columns read as the wanted: {names}", "列的对应：{names}")
_UNREAD = Sentence("columns not read: {names}", "未读取的列：{names}")
_AS = Text("{theirs} as {ours}", "{theirs} 作为 {ours}")
_OURS = {DATE: Text(DATE, "日期"), SYMBOL: Text(SYMBOL, "代码"), SCORE: Text(SCORE, "得分")}
_TABLE = {
    "stocks": Sentence(
        "read as a table, a row a date and a column a stock: {days} dates, {stocks} stocks, {scores} scores in {cells} "
        "cells",
        "读作宽表（每行一个日期，每列一只股票）：{days} 个日期、{stocks} 只股票，{cells} 个单元格中有 {scores} 个得分",
    ),
    "days": Sentence(
        "read as a table, a row a stock and a column a date: {days} dates, {stocks} stocks, {scores} scores in {cells} "
        "cells",
        "读作宽表（每行一只股票，每列一个日期）：{days} 个日期、{stocks} 只股票，{cells} 个单元格中有 {scores} 个得分",
    ),
}


@dataclass(frozen=True)
class FactorTable:
    """A factor file's rows.

    Attributes
    ----------
    rows : row (u32, from 1 as in the file), date, symbol (text, as it is there), score (float64, null = none); of a
        table with a column a stock or day a row a cell with a score
    clock : dates were times without a zone, and not midnight
    notes : what was understood otherwise than it stood there, a line each
    """

    rows: pl.DataFrame
    clock: bool = False
    notes: tuple[Text, ...] = ()


def read_columns(path: Path, columns: Mapping[str, str]) -> FactorTable:
    """The columns of a file of ours, `columns` = theirs to ours (date, symbol, score).

    Raises
    ------
    DataError
        no such file, not readable, a missing column, or a value that is no date, code or score; names the row.
    """
    theirs = {ours: name for name, ours in columns.items()}
    opened = open_factor_file(path)
    asked = Columns(theirs[DATE], theirs[SYMBOL], (theirs[SCORE],))
    return _read_rows(opened, lay_out(opened, asked, frozenset()), 0, None)


def factors_of(path: Path, columns: Columns, known: frozenset[str]) -> tuple[str, ...]:
    """Names of a file's factors; of a table with a column a stock or day, which is one, nothing.

    Raises
    ------
    DataError
        as `read_factor_table`, but for the values.
    """
    opened = open_factor_file(path)
    layout = lay_out(opened, columns, known)
    return tuple(opened.names[at] for at in layout.scores) if layout.form == "rows" else ()


def read_factor_table(
    path: Path, columns: Columns, known: frozenset[str], date_format: str | None, factor: str | None = None
) -> FactorTable:
    """A stranger's factor file in whatever layout it has.

    Parameters
    ----------
    known : the market's symbols, by which codes are told from numbers
    factor : which, where the file has several

    Raises
    ------
    DataError
        no such file, not readable, a column that is missing or several that could be meant, or a value that is no
        date, code or score; names the row.
    """
    opened = open_factor_file(path)
    layout = lay_out(opened, columns, known)
    if layout.form != "rows":
        return _read_table(opened, layout, date_format)
    names = [opened.names[at] for at in layout.scores]
    if factor is None and len(names) > 1:
        raise DataError(
            f"holds {len(names)} factors: {listed(names)}. Say which: --columns score={names[0]}", file=path
        )
    return _read_rows(opened, layout, 0 if factor is None else names.index(factor), date_format)


def _read_rows(opened: OpenedFile, layout: Layout, factor: int, date_format: str | None) -> FactorTable:
    assert layout.date is not None
    assert layout.symbol is not None
    chosen = {DATE: layout.date, SYMBOL: layout.symbol, SCORE: layout.scores[factor]}
    frame = opened.read(list(chosen.values()))
    frame.columns = list(chosen)
    frame, blank = _without_blank(frame)
    days = _days(opened.path, frame, date_format)
    symbols = _symbols(opened.path, frame)
    scores, told = _scores(opened.path, frame[SCORE], frame["row"], SCORE)
    rows = frame.select("row").with_columns(days.alias(DATE), symbols.alias(SYMBOL), scores.alias(SCORE))
    notes = (*_said(opened, chosen, layout.scores), *blank, *told)
    return FactorTable(rows, has_clock(frame[DATE]), notes)


def _read_table(opened: OpenedFile, layout: Layout, date_format: str | None) -> FactorTable:
    """A table with a column a stock, or a day, as rows; cells without a score are none."""
    path, by_stock = opened.path, layout.form == "stocks"
    key, at = (DATE, layout.date) if by_stock else (SYMBOL, layout.symbol)
    assert at is not None
    names = [opened.names[place] for place in layout.scores]
    frame = opened.read([at, *layout.scores])
    columns = [str(place) for place in range(len(names))]
    frame.columns = [key, *columns]
    frame, blank = _without_blank(frame)
    clock, flags = False, False
    numbers = {}
    for column, name in zip(columns, names, strict=True):
        numbers[column], told = _scores(path, frame[column], frame["row"], name)
        flags = flags or bool(told)
    if by_stock:
        keys, heads, clock = _days(path, frame, date_format), pl.Series(names), has_clock(frame[DATE])
    else:
        keys, heads = _symbols(path, frame), _head_days(path, names, date_format)
    wide = pl.DataFrame({"row": frame["row"], key: keys, **numbers})
    other = SYMBOL if by_stock else DATE
    long = wide.unpivot(columns, index=["row", key], variable_name="column", value_name=SCORE).drop_nulls(SCORE)
    long = long.with_columns(long["column"].replace_strict(columns, heads, return_dtype=heads.dtype).alias(other))
    days, stocks = (wide.height, len(names)) if by_stock else (len(names), wide.height)
    said = _TABLE[layout.form].filled(
        days=f"{days:,}", stocks=f"{stocks:,}", scores=f"{long.height:,}", cells=f"{days * stocks:,}"
    )
    notes = (said, *_said(opened, {key: at}, layout.scores), *blank, *((_FLAGS,) if flags else ()))
    return FactorTable(long.select("row", *COLUMNS), clock, notes)


def _without_blank(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Text, ...]]:
    """With row numbers, and without rows that hold nothing at all, which are counted."""
    empty = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    frame = frame.with_row_index("row", offset=1)
    if not (blank := int(empty.sum())):
        return frame, ()
    return frame.filter(~empty), (_EMPTY.filled(n=f"{blank:,}"),)


def _said(opened: OpenedFile, chosen: Mapping[str, int], scores: tuple[int, ...]) -> tuple[Text, ...]:
    """How columns were read, and which were not."""
    head = [name.strip() or '""' for name in opened.head]
    renamed = [(ours, at) for ours, at in chosen.items() if head[at] != ours]
    taken = {*chosen.values(), *scores}
    unread = [name for at, name in enumerate(head) if at not in taken]
    notes = list(opened.notes)
    if renamed:
        each = [_AS.filled(theirs=head[at], ours=_OURS[ours]) for ours, at in renamed]
        notes.append(_RENAMED.filled(names=Text(", ".join(each), "，".join(one.zh for one in each))))
    return (*notes, *((_UNREAD.filled(names=listed(unread)),) if unread else ()))


def _fault(path: Path, row: int, column: str, message: str) -> DataError:
    return DataError(message, file=path, row=row, column=column)


def _days(path: Path, frame: pl.DataFrame, date_format: str | None) -> pl.Series:
    try:
        days = as_days(frame[DATE], date_format)
    except NoDate as error:
        hint = " (--date-format)" if "Say which" in str(error) else ""
        row = None if error.position is None else int(frame["row"][error.position])
        raise DataError(f"{error}{hint}", file=path, row=row, column=DATE) from None
    if days.null_count():
        raise _fault(path, int(frame["row"][int(days.is_null().arg_true()[0])]), DATE, "is missing")
    return days


def _head_days(path: Path, names: list[str], date_format: str | None) -> pl.Series:
    try:
        return as_days(pl.Series(names), date_format)
    except NoDate as error:
        raise DataError(f"among the columns' names, {error}", file=path) from None


def _symbols(path: Path, frame: pl.DataFrame) -> pl.Series:
    """Codes as text; whole numbers as they are written."""
    given, rows = frame[SYMBOL], frame["row"]
    if given.dtype.is_float() or given.dtype.is_decimal():
        whole = given.cast(pl.Int64, strict=False)
        broken = (given.is_not_null() & (whole.cast(given.dtype) != given).fill_null(value=True)).arg_true()
        if len(broken):
            at = int(broken[0])
            raise _fault(path, int(rows[at]), SYMBOL, f"{given[at]} is no code such as 600000.SH")
        given = whole
    if not (given.dtype.is_integer() or isinstance(given.dtype, pl.String | pl.Categorical | pl.Enum)):
        raise DataError(f"holds {kind_of(given.dtype)}, wanted codes such as 600000.SH", file=path, column=SYMBOL)
    if given.null_count():
        raise _fault(path, int(rows[int(given.is_null().arg_true()[0])]), SYMBOL, "is missing")
    return given.cast(pl.String)


def _scores(path: Path, given: pl.Series, rows: pl.Series, column: str) -> tuple[pl.Series, tuple[Text, ...]]:
    """Numbers, NaN as null; a type that holds none, and text that is none, is refused."""
    if given.dtype == pl.Boolean:
        return given.cast(pl.Float64), (_FLAGS,)
    if given.dtype == pl.String:
        return _of_text(path, given, rows, column)
    if not (given.dtype.is_numeric() or given.dtype == pl.Null):
        raise DataError(f"holds {kind_of(given.dtype)}, wanted numbers", file=path, column=column)
    return given.cast(pl.Float64).fill_nan(None), ()


def _of_text(path: Path, given: pl.Series, rows: pl.Series, column: str) -> tuple[pl.Series, tuple[Text, ...]]:
    number = given.cast(pl.Float64, strict=False)
    if number.null_count() > given.null_count():
        given = without_missing(given.str.strip_chars())
        number = given.cast(pl.Float64, strict=False)
    lost = (number.is_null() & given.is_not_null()).arg_true()
    if not len(lost):
        return number.fill_nan(None), ()
    truth = given.str.to_lowercase().replace_strict(_TRUTH, default=None, return_dtype=pl.Float64)
    if truth.null_count() == given.null_count():
        return truth, (_FLAGS,)
    text = given[int(lost[0])]
    raise _fault(path, int(rows[int(lost[0])]), column, f"{text!r} is no number{_advice(text)}")


def _advice(text: str) -> str:
    if "," in text:
        return ": write decimals with a point and thousands without a mark, as 1234.5"
    return ": write it without %, as 0.05" if text.endswith("%") else ""
