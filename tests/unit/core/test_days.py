from __future__ import annotations

import datetime as dt

import pytest

from deepfactor.core.days import day_of

DAY = dt.date(2020, 1, 2)


@pytest.mark.parametrize(
    "given",
    [DAY, dt.datetime(2020, 1, 2), "2020-01-02", " 2020-1-2 ", "2020/01/02", "2020.1.2", "20200102", 20200102],
)
def test_a_day_in_its_forms(given):
    assert day_of(given) == DAY


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("2020-02-30", "no day of the calendar"),
        (20201301, "no day of the calendar"),
        ("02/01/2020", "write it like"),
        ("2020-01/02", "write it like"),
        ("2020110", "write it like"),
        ("1577923200", "write it like"),
        (1577923200, "write it like"),
        (True, "write it like"),
        (20200102.0, "write it like"),
        (None, "write it like"),
        ("yesterday", "write it like"),
        ("1898-01-03", "outside the years 1990 to 2100"),
        (dt.date(1, 1, 1), "outside the years"),
        (dt.datetime(2020, 1, 2, 9, 30), "is a moment"),
        (dt.datetime(2020, 1, 2, tzinfo=dt.UTC), "is a moment"),
    ],
)
def test_what_is_no_day(given, why):
    with pytest.raises(ValueError, match=why):
        day_of(given)
