"""The days of a factor file: which move to the trading day before, which are left out, which give a moved file away."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfactor.core.errors import DataError
from deepfactor.runs._factor_days import FactorDays, place_days

FIRST, LAST = date(2019, 1, 1), date(2021, 12, 31)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]


def holiday(day: date) -> bool:
    """New year, a long one in winter, Labour Day, the National Day's week: as in China, but for the moon."""
    return (day.month, day.day) in {(1, 1), (5, 1)} or (day.month == 10 and day.day <= 7) or _spring(day)


def _spring(day: date) -> bool:
    return date(day.year, 1, 28) <= day <= date(day.year, 2, 4)


TRADING = [day for day in DAYS if day.weekday() < 5 and not holiday(day)]
PANEL = np.array(TRADING, dtype="datetime64[D]")
MONTH_ENDS = [day for day in DAYS if (day + timedelta(days=1)).day == 1]
BUSINESS_ENDS = [
    max(d for d in DAYS if d.month == m.month and d.year == m.year and d.weekday() < 5) for m in MONTH_ENDS
]
TRADING_ENDS = [max(d for d in TRADING if d.month == m.month and d.year == m.year) for m in MONTH_ENDS]


def placed(days: list[date], names: int = 60, *, clock: bool = False, partial: bool = False) -> FactorDays:
    return place_days(Path("f.parquet"), pl.Series(days * names, dtype=pl.Date), PANEL, clock=clock, partial=partial)


def moved(days: list[date], shift: int) -> list[date]:
    return [day + timedelta(days=shift) for day in days]


def test_trading_days_stay() -> None:
    assert placed(TRADING) == FactorDays({}, {}, ())


@pytest.mark.parametrize(
    "days",
    [MONTH_ENDS, BUSINESS_ENDS, TRADING_ENDS, MONTH_ENDS[2::3], MONTH_ENDS[11::12], MONTH_ENDS[:3], MONTH_ENDS[3:7]],
)
def test_ends_of_months_move_to_the_last_trading_day_of_the_month(days: list[date]) -> None:
    found = placed(days)
    assert dict(found.left_out) == {}
    for day in days:
        to = found.moved.get(day, day)
        assert to == max(one for one in TRADING if one <= day)
        assert (to.year, to.month) == (day.year, day.month)
    strange = [day for day in days if day not in set(TRADING)]
    assert list(found.moved) == strange
    assert len(found.notes) == bool(strange)
    if strange:
        rows = 60 * len(strange)
        to = found.moved[strange[0]]
        assert found.notes == (
            f"{len(strange)} dates moved to the last trading day before, as {strange[0]} to {to} ({rows:,} rows)",
        )


@pytest.mark.parametrize("weekday", [4, 5])
def test_ends_of_weeks_move_within_their_week(weekday: int) -> None:
    days = [day for day in DAYS if day.weekday() == weekday][:-1]
    found = placed(days)
    for day, to in found.moved.items():
        assert timedelta(0) < day - to < timedelta(days=7)
        assert day.isocalendar()[:2] == to.isocalendar()[:2]
    weeks = {day.isocalendar()[:2] for day in TRADING}
    assert set(found.left_out) == {day for day in days if day.isocalendar()[:2] not in weeks}
    assert set(found.left_out.values()) <= {"no trading day"}


def test_nothing_moves_to_a_day_after_which_the_market_may_have_traded() -> None:
    """The last day held isn't the month's last; a hole in the market isn't a holiday."""
    cut = np.array([day for day in TRADING if day <= date(2021, 10, 15)], dtype="datetime64[D]")
    found = place_days(Path("f"), pl.Series(MONTH_ENDS[:-2]), cut, clock=False, partial=False)
    assert found.left_out == {date(2021, 10, 31): "after the market's last day"}
    gone = [date(2020, 5, 8) <= day <= date(2020, 6, 2) for day in TRADING]
    holed = PANEL[~np.array(gone)]
    found = place_days(Path("f"), pl.Series(MONTH_ENDS), holed, clock=False, partial=False)
    assert found.left_out == {date(2020, 5, 31): "no trading day"}


@pytest.mark.parametrize("clock", [False, True])
@pytest.mark.parametrize(
    ("days", "said"),
    [
        (moved(TRADING, -1), "Sundays .as 2019.*a day early"),
        (moved(TRADING, 1), "Saturdays .as 2019.*a day late"),
        (moved(TRADING[:300], -1) + TRADING[301:], "Sundays .*a day early"),
        (moved(TRADING[:15], -1) + TRADING[16:], "Sundays .*a day early"),
        (moved(TRADING_ENDS, -1), "Sundays|Saturdays"),
        (DAYS, "leave out days without trading"),
        (
            [day for day in DAYS if day.weekday() == 6],
            "156 Sundays .as 2019-01-06.: a Sunday may belong to either week",
        ),
        ([day for day in DAYS if day.day == 1], "Sundays and"),
        ([day for day in DAYS if day.day in (1, 15)], "leave out days without trading"),
        ([*TRADING[3::5], date(2020, 6, 7)], "1 Sunday"),
    ],
)
def test_weekends_are_neither_dropped_nor_moved(days: list[date], said: str, clock: bool) -> None:
    for partial in (False, True):
        with pytest.raises(DataError, match=said) as error:
            placed(days, clock=clock, partial=partial)
        assert ("Their times name no zone" in str(error.value)) == clock


def test_times_without_a_zone_don_t_move() -> None:
    """The end of May at 16:00 may be June in Shanghai."""
    with pytest.raises(DataError, match="Their times name no zone"):
        placed(MONTH_ENDS, clock=True)


@pytest.mark.parametrize("day", [date(2020, 5, 31), date(2020, 6, 7)])
def test_a_day_or_two_say_nothing_of_a_rhythm(day: date) -> None:
    for days in ([day], [day, date(2020, 6, 30)]):
        with pytest.raises(DataError, match=r"1 Sunday .as 2020"):
            placed(days)


def test_single_rows_are_left_out_and_counted() -> None:
    rows = pl.Series(TRADING * 60 + [date(2020, 6, 7)] * 5)
    found = place_days(Path("f"), rows, PANEL, clock=False, partial=False)
    assert found.left_out == {date(2020, 6, 7): "no trading day"}
    with pytest.raises(DataError, match="6 of "):
        place_days(Path("f"), rows.append(pl.Series([date(2020, 6, 7)])), PANEL, clock=False, partial=False)
    few = pl.Series(TRADING[:20] + [date(2020, 6, 7)] * 2)
    with pytest.raises(DataError, match="2 of 22 rows lie on 1 Sunday"):
        place_days(Path("f"), few, PANEL, clock=False, partial=False)


def test_all_weekdays_are_refused_unless_partial() -> None:
    days = [day for day in DAYS if day.weekday() < 5]
    with pytest.raises(DataError, match=r"rows lie on \d+ weekdays .as 2019-01-28. without trading .*--partial"):
        placed(days)
    found = placed(days, partial=True)
    assert set(found.left_out) == set(days) - set(TRADING)
    assert found.moved == {}


@pytest.mark.parametrize(("shift", "weekday"), [(-1, "Friday"), (1, "Monday")])
def test_a_weekday_is_missing_where_weekends_were_cut_off(shift: int, weekday: str) -> None:
    days = [day for day in moved(TRADING, shift) if day in set(TRADING)]
    with pytest.raises(DataError, match=f"none of its .* days is a {weekday}: have dates moved by a day"):
        placed(days)
    assert placed(days, partial=True).left_out == {}


def test_other_rhythms_pass() -> None:
    for days in (TRADING[::5], TRADING[::2], [d for d in TRADING if d.weekday() in (1, 3)], TRADING[:30], TRADING[:1]):
        assert placed(days) == FactorDays({}, {}, ()), days[:5]


def test_days_around_the_market() -> None:
    found = placed([date(2018, 12, 28), *TRADING, date(2022, 1, 4), date(2030, 1, 1)])
    assert found.left_out == {
        date(2018, 12, 28): "before the market's first day",
        date(2022, 1, 4): "after the market's last day",
        date(2030, 1, 1): "after the market's last day",
    }


@given(
    start=st.integers(0, len(TRADING) - 40),
    length=st.integers(25, 200),
    step=st.integers(1, 3),
    shift=st.sampled_from([-1, 1]),
)
def test_no_daily_file_that_moved_is_taken(start: int, length: int, step: int, shift: int) -> None:
    days = moved(TRADING[start : start + length : step], shift)
    if not any(day.weekday() > 4 for day in days):
        return
    with pytest.raises(DataError, match=r"Sunday|Saturday"):
        placed(days)


@given(st.lists(st.sampled_from(DAYS), min_size=1, max_size=60, unique=True))
def test_what_moves_moves_back_and_by_few_days(days: list[date]) -> None:
    try:
        found = placed(days)
    except DataError:
        return
    for day, to in found.moved.items():
        assert timedelta(0) < day - to <= timedelta(days=10)
        assert to in set(TRADING)
        assert to not in days
    assert set(found.left_out).isdisjoint(TRADING)
    assert set(found.left_out) | set(found.moved) == set(days) - set(TRADING)
