"""The days of a market: no weekend, none before the exchanges were, none after tomorrow, and no weekday missing.

Dates that moved by a day (times of another zone) show as Mondays on Sundays, or, where those were left out, as a market
that never trades on one weekday.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import polars as pl

from deepfactor.core.words import Sentence, Text
from deepfactor.store.checks.finding import Finding, rows_where

#: Tables whose dates are trading days.
TABLES_OF_DAYS = ("daily", "index_daily", "calendar")
#: The first trading day of the Shanghai exchange.
FIRST = date(1990, 12, 19)
#: Until then Saturday was a working day in China, and a session on one isn't ruled out here.
_FIVE_DAYS = date(1995, 5, 1)
#: Days of a calendar year, rows of a stock, from which a weekday can't be missing by chance or by holidays.
_ENOUGH_DAYS, _ENOUGH_ROWS = 20, 60
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_WEEKEND = Sentence(
    "the exchanges never trade on a Saturday or Sunday: are dates a day early or late, as times of another zone are?",
    "交易日落在周六或周日：日期是否因时区错位一天？",
)
_BEFORE = Sentence(
    "lies before {first}, when the Shanghai exchange opened: is it a date of another kind?",
    "早于{first}上海证券交易所开业，是否为另一种日期？",
)
_AHEAD = Sentence(
    "lies ahead: today is {today} in Shanghai by this machine's clock", "日期晚于今天：按本机时钟上海今天是{today}"
)
_NO_WEEKDAY = Sentence(
    "none of the {n} trading days of {year} is a {lacking}: are dates a day early or late, as times of another zone "
    "are?",
    "{year}年的{n}个交易日中没有{lacking}：日期是否因时区错位一天？",
)
_STOCKS_WITHOUT_WEEKDAY = Sentence(
    "{n} stocks never trade on one of the weekdays, {symbol} on no {lacking}: are dates a day early or late, as times "
    "of another zone are?",
    "{n}只股票从不在某个星期几交易，如{symbol}没有{lacking}的行情：日期是否因时区错位一天？",
)


def last_day(source: Mapping[str, object]) -> date | None:
    """The last day that a market of `source` (its account) may hold: tomorrow in Shanghai by this machine's clock.

    None for a simulated market, whose days are of nobody's calendar.
    """
    return None if source.get("simulated") else _today() + timedelta(days=1)


def _today() -> date:
    return (datetime.now(UTC) + timedelta(hours=8)).date()


def check_days(name: str, frame: pl.DataFrame, last: date | None) -> list[Finding]:
    """Errors of the dates of a table of trading days; `last` = the last possible one, None = any."""
    days = frame["date"].unique()
    weekday, clock = pl.col("date").dt.weekday(), pl.col("date")
    out = []
    weekend = (weekday == 7) | ((weekday == 6) & (clock >= _FIVE_DAYS))
    out += _where("weekend", name, frame, days, weekend, _WEEKEND)
    out += _where("before_exchanges", name, frame, days, clock < FIRST, _BEFORE.filled(first=FIRST))
    if last is not None and name != "calendar":  # which is published ahead
        message = _AHEAD.filled(today=last - timedelta(days=1))
        out += _where("in_the_future", name, frame, days, clock > last, message)
    if not out:
        out += _missing_weekday(name, days)
    if not out and name == "daily":
        out += _missing_weekday_of_stocks(frame)
    return out


def _where(code: str, name: str, frame: pl.DataFrame, days: pl.Series, bad: pl.Expr, message: Text) -> list[Finding]:
    """A finding of the rows on days where `bad` holds; all rows are looked at only if there are such days."""
    if not days.to_frame().select(bad.any()).item():
        return []
    return rows_where("error", code, name, "date", frame, bad, message)


def _missing_weekday(name: str, days: pl.Series) -> list[Finding]:
    """A calendar year of which no day is, say, a Monday."""
    weekday = pl.col("date").dt.weekday()
    years = days.to_frame().group_by(pl.col("date").dt.year().alias("year")).agg(pl.len().alias("n"), *_there(weekday))
    for row in years.filter(pl.col("n") >= _ENOUGH_DAYS).sort("year").iter_rows(named=True):
        if lacking := _lacking(row):
            message = _NO_WEEKDAY.filled(n=row["n"], year=row["year"], lacking=lacking)
            return [Finding("error", "missing_weekday", name, "date", row["n"], message)]
    return []


def _missing_weekday_of_stocks(frame: pl.DataFrame) -> list[Finding]:
    """Stocks that never have a row on, say, a Monday, in a market that does."""
    stocks = frame.group_by("symbol").agg(pl.len().alias("n"), *_there(pl.col("date").dt.weekday()))
    shifted = stocks.filter((pl.col("n") >= _ENOUGH_ROWS) & ~pl.all_horizontal(_WEEKDAYS))
    if shifted.is_empty():
        return []
    shifted = shifted.with_columns(pl.col("symbol").cast(pl.String)).sort("symbol")
    row = shifted.row(0, named=True)
    message = _STOCKS_WITHOUT_WEEKDAY.filled(n=shifted.height, symbol=row["symbol"], lacking=_lacking(row))
    rows = int(shifted["n"].sum())
    examples = tuple(shifted["symbol"].head(5))
    return [Finding("error", "missing_weekday", "daily", "date", rows, message, None, examples)]


def _there(weekday: pl.Expr) -> list[pl.Expr]:
    """For each weekday whether there is a row."""
    return [(weekday == number).any().alias(day) for number, day in enumerate(_WEEKDAYS, 1)]


def _lacking(row: Mapping[str, object]) -> str:
    return " or ".join(day for day in _WEEKDAYS if not row[day])
