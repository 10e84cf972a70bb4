"""On which days a portfolio is decided: by every schedule, known at the close, and followed by a backtest."""

from __future__ import annotations

import datetime as dt

import pytest
from pydantic import TypeAdapter, ValidationError

from deepfactor.core.errors import DataError
from deepfactor.panel.schedule import Schedule, signal_days
from support.toy import toy_market

READ = TypeAdapter(Schedule)


@pytest.fixture(scope="module")
def universe():
    return toy_market(days=70, stocks=8)[1]


def days_of(universe, schedule):
    return [day.astype(dt.date) for day in universe.dates[signal_days(universe, READ.validate_python(schedule))]]


def test_weeks_months_days_and_every_few(universe):
    dates = [day.astype(dt.date) for day in universe.dates]
    following = [*dates[1:], universe.next_date[-1].astype(dt.date)]
    pairs = [(a, b) for a, b in zip(dates, following, strict=True) if b is not None]
    assert days_of(universe, "daily") == dates
    assert days_of(universe, "week_end") == [a for a, b in pairs if a.isocalendar()[:2] != b.isocalendar()[:2]]
    assert days_of(universe, "month_end") == [a for a, b in pairs if a.month != b.month]
    assert len(days_of(universe, "month_end")) >= 2
    assert days_of(universe, "every:7") == dates[::7]
    wanted = [dates[3], dates[4], dates[50]]
    assert days_of(universe, [str(day) for day in wanted]) == wanted


@pytest.mark.parametrize("schedule", ["week_end", "month_end", "daily", "every:3"])
def test_a_day_is_one_at_its_close_whatever_comes_after(universe, schedule):
    whole = signal_days(universe, schedule)
    assert [bool(signal_days(universe.until(t), schedule)[-1]) for t in range(70)] == whole.tolist()


def test_days_that_the_market_does_not_have(universe):
    first = universe.dates[0].astype(dt.date)
    assert not signal_days(universe, (first - dt.timedelta(days=40),)).any(), "before the market: another span's"
    saturday = first + dt.timedelta(days=(5 - first.weekday()) % 7)
    with pytest.raises(DataError, match=f"signal: {saturday} is no trading day"):
        signal_days(universe, (saturday,))


@pytest.mark.parametrize("given", ["weekly", "every:", "every:0", "every:1000", "every:5 ", [], ["2020-02-30"], 5, None,
                                   ["2020-01-03", "2020-01-03"]])  # fmt: skip
def test_odd_schedules_are_refused(given):
    with pytest.raises(ValidationError):
        READ.validate_python(given)


def test_what_is_written_is_read_again():
    for given in ("every:12", "month_end", ["2020-01-03", "2020-02-07"]):
        assert READ.dump_python(READ.validate_python(given), mode="json") == given
