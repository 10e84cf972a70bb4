"""At most so many calls in any 60 seconds, with a clock that costs no time."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from deepfactor.lake.pace import Pace
from deepfactor.lake.settled import evening_of, last_evening, settled, today
from support.clock import FakeClock


def calls(pace: Pace, clock: FakeClock, names: list[str]) -> list[float]:
    times = []
    for name in names:
        pace.wait(name)
        times.append(clock.seconds())
        clock.passed += 0.01
    return times


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_never_more_than_the_limit_in_any_minute(limit):
    clock = FakeClock()
    times = calls(Pace(clock, limit), clock, ["daily"] * (3 * limit + 2))
    for k in range(len(times) - limit):
        assert times[k + limit] - times[k] >= 59.999
    assert times[-1] <= 60.0 * 4, "and no slower than needed"


def test_a_call_of_its_own_limit_does_not_hold_up_others():
    clock = FakeClock()
    pace = Pace(clock, 100, {"stock_basic": 2})
    assert calls(pace, clock, ["stock_basic", "stock_basic", "daily", "daily"])[-1] < 1
    assert calls(pace, clock, ["stock_basic"])[0] >= 60.0


def test_slower_once_the_vendor_says_so():
    clock = FakeClock()
    pace = Pace(clock, 500)
    pace.slower("daily", 2)
    times = calls(pace, clock, ["daily"] * 3 + ["adj_factor"])
    assert times[2] >= 60.0
    pace.slower("daily", 400)
    assert pace.of_calls["daily"] == 2


def test_a_day_is_settled_in_the_evening_in_shanghai():
    day = date(2024, 3, 1)
    assert evening_of(day) == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert settled([day], datetime(2024, 3, 1, 9, 59, tzinfo=UTC)) == []
    assert settled([day], datetime(2024, 3, 1, 10, tzinfo=UTC)) == [day]
    assert last_evening(datetime(2024, 3, 1, 9, tzinfo=UTC)) == evening_of(date(2024, 2, 29))
    assert last_evening(datetime(2024, 3, 1, 17, tzinfo=UTC)) == evening_of(day), "past midnight there"
    assert today(datetime(2024, 3, 1, 17, tzinfo=UTC)) == date(2024, 3, 2)
