"""Tables of intervals as a flag of daily rows, such as the spells of ST in a table of names."""

from __future__ import annotations

import polars as pl

from deepfactor.sources._codes import Read
from deepfactor.sources._convert import as_dates
from deepfactor.sources._extract import Extract
from deepfactor.sources._mapping_parts import Intervals
from deepfactor.sources._marks import matches
from deepfactor.store.stitching import until_newer

_DAY = pl.duration(days=1)


def spells_of(extract: Extract, intervals: Intervals, read: Read) -> tuple[pl.DataFrame, int]:
    """Days of each symbol on which the flag holds: symbol (text), start, end (null = still), disjoint, by start.

    Rows that are equal count once, also where one of them lacks the end. Intervals that overlap hold together; the day
    on which one ends and a row that doesn't match starts is that row's. Second comes the number of intervals that a row
    which doesn't match starts within, and that go on all the same.

    `read`: the codes of the rows of `extract`.
    """
    rows = _rows(extract, intervals, read)
    rows = rows.group_by("symbol", "start", maintain_order=True).agg(pl.col("holds").first(), pl.col("end").max())
    rows = rows.sort("symbol", "start").with_columns(
        follows=pl.col("start").shift(-1).over("symbol"),
        denied=pl.when(~pl.col("holds")).then("start").shift(-1).backward_fill().over("symbol"),
    )
    given = pl.coalesce("end", pl.col("follows") - _DAY)
    rows = rows.with_columns(end=pl.when(given == pl.col("denied")).then(given - _DAY).otherwise(given))
    spells = rows.filter("holds")
    denied = spells.filter(pl.col("end") >= pl.col("denied")).height
    return _joined(spells.select("symbol", "start", "end")), denied


def _rows(extract: Extract, intervals: Intervals, read: Read) -> pl.DataFrame:
    """Columns symbol, start, end, holds; a row that can't be is refused."""
    if extract.frame.is_empty():
        raise extract.fault(f"no rows where {dict(intervals.where)}" if intervals.where else "no rows")
    start = as_dates(extract, intervals.start, intervals.date_format)
    end = pl.Series([None], dtype=pl.Date).new_from_index(0, len(start))
    if intervals.end is not None:
        end = as_dates(extract, intervals.end, intervals.date_format)
    holds = pl.Series([True]).new_from_index(0, len(start))
    if intervals.value is not None and intervals.matching is not None:
        holds = matches(extract[intervals.value], intervals.matching).fill_null(value=False)
    rows = pl.DataFrame(
        {"symbol": read.codes["symbol"].cast(pl.String), "start": start, "end": end, "holds": holds}
    ).with_row_index("row")
    _refuse(extract, rows, pl.col("start").is_null(), "there is no day on which it starts", intervals.start)
    _refuse(extract, rows, pl.col("end") < pl.col("start"), "the interval ends before it starts", intervals.end)
    if read.age is not None:
        rows = until_newer(rows.with_columns(**read.ages()), ["symbol"], "start", "end")
    other = pl.col("holds") != pl.col("holds").first().over("symbol", "start")
    message = "another row of the same symbol starts on the same day, and only one of them matches"
    _refuse(extract, rows, other, message, intervals.value)
    return rows


def _refuse(extract: Extract, rows: pl.DataFrame, bad: pl.Expr, message: str, column: str | None) -> None:
    wrong = rows.filter(bad.fill_null(value=False))
    if wrong.height:
        raise extract.fault(f"{wrong['symbol'][0]}: {message}", column, wrong["row"][0])


def _joined(spells: pl.DataFrame) -> pl.DataFrame:
    """Spells that overlap or follow each other as one; they come by symbol and start."""
    last = pl.col("end").fill_null(pl.date(9999, 12, 30)).cum_max().over("symbol")
    spells = spells.with_columns(last=last)
    apart = (pl.col("start") > pl.col("last").shift(1).over("symbol") + _DAY).fill_null(value=True)
    number = apart.cum_sum()
    joined = spells.with_columns(number=number).group_by("number", maintain_order=True)
    whole = joined.agg(pl.col("symbol", "start").first(), pl.col("last").last(), open=pl.col("end").is_null().any())
    return whole.select("symbol", "start", end=pl.when(~pl.col("open")).then("last"))


def flag_of(daily: pl.DataFrame, spells: pl.DataFrame) -> pl.Series:
    """Whether each row of `daily` (columns symbol as Enum, date) lies in a spell; by symbol and date, as `daily` is."""
    symbols = daily.schema["symbol"]
    known = spells.with_columns(pl.col("symbol").cast(symbols, strict=False)).drop_nulls("symbol")
    known = known.with_columns(date=pl.col("start")).sort("symbol", "date")
    rows = daily.select("symbol", "date").join_asof(known, on="date", by="symbol", check_sortedness=False)
    inside = pl.col("start").is_not_null() & (pl.col("end").is_null() | (pl.col("date") <= pl.col("end")))
    return rows.select(inside).to_series()
