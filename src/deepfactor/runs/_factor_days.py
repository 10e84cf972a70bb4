"""The days of a factor file against a market's: what moves to a trading day, what is left out, what can't be right.

A day that another zone moved shows on weekends: Mondays' scores lie on Sundays, each score on the day before its own.
So no score on a weekend is dropped in silence, and none is moved to the Friday before unless all days of the file are
ends of months or weeks: their scores were known by then.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from deepfactor.core.arrays import Dates
from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence, Text

_MOVED = Sentence(
    "{n} dates moved to the last trading day before, as {day} to {to} ({rows} rows)",
    "{n} 个日期移到之前最近的交易日，例如 {day} 移到 {to}（{rows} 行）",
)
#: Rows on days without trading that are taken for slips, left out and counted: so many, and this share of all.
_FEW, _SMALL = 5, 0.01
#: Days of a file from which its rhythm can be told.
_ENOUGH, _ENOUGH_FOR_WEEKDAYS = 3, 40
#: A trading day further back isn't the last before, but the last that the market has (calendar days).
_FAR = 10
#: Why a day of a locked holdout has no place.
LOCKED = "in the market's locked holdout"
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class FactorDays:
    """What becomes of the days of a file.

    Attributes
    ----------
    moved : day without trading → the last trading day before
    left_out : day → why it has no place
    notes : a line each, to be said
    """

    moved: Mapping[date, date]
    left_out: Mapping[date, str]
    notes: tuple[Text, ...]


def place_days(
    path: Path, days: pl.Series, trading: Dates, *, clock: bool, partial: bool, locked: date | None = None
) -> FactorDays:
    """Where the days of a file's rows lie in a market.

    Parameters
    ----------
    days : a date a row
    trading : the market's days, ascending
    clock : they were times without a zone, which may be of any
    partial : weekdays without trading are left out, however many, and a weekday may be missing
    locked : first day of the market's locked holdout, before which `trading` ends

    Raises
    ------
    DataError
        days that look as if they had moved, or aren't the market's.
    """
    rows = dict(sorted(days.value_counts().iter_rows()))
    market = frozenset(trading.astype(object).tolist())
    first, last = min(market), max(market)
    strange = [day for day in rows if day not in market and (day.weekday() > 4 or first <= day <= last)]
    ends = {} if clock or not strange else _period_ends(list(rows), market)
    moved = {day: to for day in strange if day <= last and (to := ends.get(day)) is not None}
    left = [day for day in strange if day not in ends]
    _refuse_weekends(path, {day: rows[day] for day in left if day.weekday() > 4}, rows, clock=clock)
    if not partial:
        _refuse_holidays(path, {day: rows[day] for day in left if day.weekday() < 5}, rows)
        _refuse_missing_weekday(path, rows)
    reasons = {
        day: LOCKED if locked is not None and day >= locked else _reason(day, first, last)
        for day in rows
        if day not in market and day not in moved
    }
    return FactorDays(moved, reasons, _said(moved, rows))


def _reason(day: date, first: date, last: date) -> str:
    if day < first:
        return "before the market's first day"
    return "after the market's last day" if day > last else "no trading day"


def _said(moved: Mapping[date, date], rows: Mapping[date, int]) -> tuple[Text, ...]:
    if not moved:
        return ()
    day, to = next(iter(moved.items()))
    count = sum(rows[one] for one in moved)
    return (_MOVED.filled(n=len(moved), day=day, to=to, rows=f"{count:,}"),)


def _period_ends(days: list[date], market: frozenset[date]) -> dict[date, date | None]:
    """Day → the last trading day of its month or week up to it, if the file has nothing but ends of months or weeks.

    None where the month or week has no trading day up to it.
    """
    for period, is_end in ((_month, _ends_month), (_week, _ends_week)):
        last = _last_days(market, period)
        if (
            len(days) >= _ENOUGH
            and max(Counter(map(period, days)).values()) == 1
            and all(is_end(day) or day == last.get(period(day)) for day in days)
        ):
            return {day: _before(day, market, period) for day in days}
    return {}


def _before(day: date, market: frozenset[date], period: Callable[[date], Hashable]) -> date | None:
    """The last trading day up to `day` in its period."""
    before = (day - timedelta(days=back) for back in range(_FAR + 1))
    return next((one for one in before if one in market and period(one) == period(day)), None)


def _last_days(market: frozenset[date], period: Callable[[date], Hashable]) -> dict[Hashable, date]:
    return {period(day): day for day in sorted(market)}


def _month(day: date) -> Hashable:
    return day.year, day.month


def _week(day: date) -> Hashable:
    return day.isocalendar()[:2]


def _ends_month(day: date) -> bool:
    """The month's last day, or last weekday."""
    rest = monthrange(day.year, day.month)[1] - day.day
    return rest == 0 or (day.weekday() == 4 and rest <= 2)


def _ends_week(day: date) -> bool:
    """A Friday or Saturday. A Sunday may be a Monday that moved."""
    return day.weekday() in (4, 5)


def _few(count: int, rows: Mapping[date, int]) -> bool:
    return count <= _FEW and count <= max(1, _SMALL * sum(rows.values()))


def _refuse_weekends(path: Path, weekends: Mapping[date, int], rows: Mapping[date, int], *, clock: bool) -> None:
    count = sum(weekends.values())
    if _few(count, rows):
        return
    there = Counter(day.weekday() for day in rows)
    if there[6] and there[5]:
        why = "leave out days without trading"
    elif there[6] == len(rows):
        why = "a Sunday may belong to either week: give the trading day"
    elif there[5]:
        why = "are dates a day late, as times of another zone are?"
    else:
        why = "are dates a day early, as times of another zone are?"
    hint = " Their times name no zone: give it, as 2020-01-02T16:00:00Z" if clock else ""
    raise DataError(
        f"{count:,} of {sum(rows.values()):,} rows lie on {_named(weekends)}: {why}{hint}", file=path, column="date"
    )


def _refuse_holidays(path: Path, holidays: Mapping[date, int], rows: Mapping[date, int]) -> None:
    count = sum(holidays.values())
    if not _few(count, rows):
        raise DataError(
            f"{count:,} of {sum(rows.values()):,} rows lie on {_named(holidays)} without trading in this market: have "
            "dates moved, or are they those of all weekdays? Leave them out, or take what fits with --partial",
            file=path,
            column="date",
        )


def _named(days: Mapping[date, int]) -> str:
    """Like ``104 Sundays, as 2020-01-05 …``."""
    kinds = Counter(_WEEKDAYS[day.weekday()] for day in days)
    shown = " and ".join(f"{n:,} {name}{'s' if n > 1 else ''}" for name, n in kinds.most_common())
    if all(day.weekday() < 5 for day in days):
        shown = f"{len(days):,} weekday{'s' if len(days) > 1 else ''}"
    return f"{shown} (as {next(iter(days))})"


def _refuse_missing_weekday(path: Path, rows: Mapping[date, int]) -> None:
    """Scores of most days of the week, but never of one of its weekdays."""
    there = {day.weekday() for day in rows}
    lacking = [day for day in range(5) if day not in there]
    weeks = len({_week(day) for day in rows})
    if len(lacking) == 1 and len(rows) >= _ENOUGH_FOR_WEEKDAYS and len(rows) >= 3 * weeks:
        raise DataError(
            f"none of its {len(rows):,} days is a {_WEEKDAYS[lacking[0]]}: have dates moved by a day, and weekends "
            "been left out? If they are right, say --partial",
            file=path,
            column="date",
        )
