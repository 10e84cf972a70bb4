"""A vendor's company figures → table `fundamentals`: step tables and statements, each figure with the day it was known.

**Steps** give the value in force and no period. A flow's step is a report, so its period can be told from its day and
from the steps before (never from later ones): January to March last year's annual report; April the annual report if it
is the year's first step, else the first quarter's; May and June the first quarter's; July to September the half year's;
October to December the third quarter's.

**Statements** give a row a report. Known from the trading day after the announcement; without one, after the statutory
deadline: 04-30 for the first quarter and for last year, 08-31 for the half year, 10-31 for the third quarter.
"""

from __future__ import annotations

import datetime

import polars as pl

from deepfactor.sources._codes import Read
from deepfactor.sources._convert import as_dates, as_number, numbers_of, scaled
from deepfactor.sources._extract import Extract
from deepfactor.sources._mapping_parts import FundamentalSteps, Statements
from deepfactor.sources._steps import once

_COLUMNS = ("symbol", "known_at", "item", "value", "period_end")
_KEY = ("symbol", "item", "known_at", "period_end")


def step_figures(extract: Extract, steps: FundamentalSteps, read: Read, trading_days: pl.Series) -> pl.DataFrame:
    """Rows of `fundamentals` from one step table, unsorted; `known_at` is missing after the last trading day.

    `read`: the codes of the rows of `extract`.
    """
    if extract.frame.is_empty():
        raise extract.fault(f"no rows where {dict(steps.where)}" if steps.where else "no rows")
    rows = pl.DataFrame(
        {
            "symbol": read.codes["symbol"].cast(pl.String),
            "date": as_dates(extract, steps.date, steps.date_format),
            "value": scaled(as_number(extract, steps.value), steps.multiply, steps.divide),
            **read.ages(),
        }
    )
    rows = once(extract, rows.with_row_index("row"), steps.date).sort("symbol", "date")
    figures = rows.with_columns(
        item=pl.lit(steps.item),
        known_at=known_from(rows["date"], trading_days, steps.lag_days),
        period_end=_period_of_step() if steps.reports else pl.lit(None, dtype=pl.Date),
    )
    parts = [figures]
    if steps.null_is_loss:
        loss = pl.col("value").is_null().cast(pl.Float64)
        parts.append(figures.with_columns(item=pl.lit(f"{steps.item}_loss"), value=loss))
    if steps.end is not None:
        parts = [_ended(part, steps.end, trading_days, reports=steps.reports) for part in parts]
    return pl.concat(parts).select(_COLUMNS)


def statement_figures(
    extract: Extract, statements: Statements, symbols: pl.Series, trading_days: pl.Series
) -> tuple[pl.DataFrame, int]:
    """Rows of `fundamentals` from a row a report with items as columns; and how many had no announcement.

    `known_at` is missing after the last trading day. `symbols`: our codes of the rows of `extract`.
    """
    period = as_dates(extract, statements.period, statements.date_format)
    deadline = _deadline(period)
    announced = statements.announced
    told = deadline if announced is None else as_dates(extract, announced, statements.date_format)
    early = (told <= period).arg_true()
    if len(early):
        at = int(early[0])
        message = f"announced on {told[at]}, not after the period's end {period[at]}"
        raise extract.fault(message, announced or statements.period, at)
    guessed = int(told.null_count()) if announced else len(told)
    known = known_from(told.fill_null(deadline) if guessed else told, trading_days, statements.lag_days)
    keys = pl.DataFrame({"symbol": symbols.cast(pl.String), "period_end": period})
    keys = keys.with_columns(known_at=known)
    rows = pl.concat(
        keys.with_columns(item=pl.lit(item), value=numbers_of(extract, column)).select(_COLUMNS)
        for item, column in statements.items.items()
    )
    return rows.drop_nulls("period_end"), guessed


def columns_of(part: FundamentalSteps | Statements) -> list[str]:
    """The columns (theirs) that it reads."""
    if isinstance(part, FundamentalSteps):
        return [part.symbol, part.date, part.value]
    announced = [part.announced] if part.announced else []
    return [part.symbol, part.period, *announced, *(name for column in part.items.values() for name in column.reads)]


def finish_figures(parts: list[pl.DataFrame]) -> tuple[pl.DataFrame, int, int]:
    """One table by its key; of figures that become known on one day the last given stands.

    With the number of those that don't, and of those that wait for a trading day and are left out.
    """
    given = pl.concat(parts)
    rows = given.drop_nulls("known_at")
    kept = rows.unique(_KEY, keep="last", maintain_order=True).sort(_KEY)
    return kept, rows.height - kept.height, given.height - rows.height


def known_from(dates: pl.Series, trading_days: pl.Series, lag_days: int) -> pl.Series:
    """First trading day at whose close a figure published on each date may be used; null after the last trading day.

    lag 0: the date, or the next trading day; lag k: the k-th trading day after it. Before the first trading day
    weekdays stand in: all of that is known on the first day, and only its order is kept.
    """
    row = trading_days.search_sorted(dates, side="right" if lag_days else "left").cast(pl.Int64) + max(lag_days - 1, 0)
    frame = pl.DataFrame({"date": dates, "row": row})
    early = pl.col("date").dt.add_business_days(lag_days, roll="forward" if lag_days == 0 else "backward")
    return frame.select(
        pl.when(pl.col("date").is_null())
        .then(None)
        .when(early < trading_days[0])
        .then(early)
        .otherwise(trading_days.gather(frame["row"].clip(0, len(trading_days) - 1)))
        .alias("known_at"),
        late=pl.col("row") >= len(trading_days),
    ).select(pl.when(~pl.col("late")).then("known_at"))["known_at"]


def _period_of_step() -> pl.Expr:
    """Period of each step of a flow; rows are sorted by symbol and date."""
    year, month = pl.col("date").dt.year(), pl.col("date").dt.month()
    spring = pl.int_range(pl.len()).over("symbol", year, month <= 4)  # steps of the spring before this one
    annual = (month <= 3) | ((month == 4) & (spring == 0))
    return (
        pl.when(annual)
        .then(pl.date(year - 1, 12, 31))
        .when(month <= 6)
        .then(pl.date(year, 3, 31))
        .when(month <= 9)
        .then(pl.date(year, 6, 30))
        .otherwise(pl.date(year, 9, 30))
    )


def _ended(figures: pl.DataFrame, end: datetime.date, trading_days: pl.Series, *, reports: bool) -> pl.DataFrame:
    """With a row "missing" the day after `end` for every symbol: what the vendor last said isn't true for ever."""
    known = known_from(pl.Series([end]), trading_days, 1)[0]
    last = figures.filter(pl.col("date") <= end).group_by("symbol", maintain_order=True).last()
    stop = last.with_columns(value=pl.lit(None, dtype=pl.Float64), known_at=pl.lit(known, dtype=pl.Date))
    if reports:  # a quarter of its own, newer than all that is known
        stop = stop.with_columns(period_end=pl.col("period_end").dt.offset_by("3mo").dt.month_end())
    return pl.concat([figures.filter(pl.col("date") <= end), stop.select(figures.columns)])


def _deadline(period: pl.Series) -> pl.Series:
    """Day by which the exchanges want the report of each period."""
    year, month = pl.col("period").dt.year(), pl.col("period").dt.month()
    day = (
        pl.when(month <= 3)
        .then(pl.date(year, 4, 30))
        .when(month <= 6)
        .then(pl.date(year, 8, 31))
        .when(month <= 9)
        .then(pl.date(year, 10, 31))
        .otherwise(pl.date(year + 1, 4, 30))
    )
    return pl.DataFrame({"period": period}).select(day).to_series()
