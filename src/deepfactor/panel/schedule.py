"""On which days' closes a portfolio is decided anew: `Schedule`, a setting, and `signal_days` of a market.

Whether a day is one is known at its close: the calendar is published ahead (`Universe.next_date`).
"""

from __future__ import annotations

import datetime as dt
import re
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, PlainSerializer

from deepfactor.core.arrays import Bools, Dates
from deepfactor.core.choices import choices
from deepfactor.core.days import day_of
from deepfactor.core.errors import DataError
from deepfactor.panel.universe import Universe

_NAMED = ("week_end", "month_end", "daily")
_EVERY = re.compile(r"every:([1-9]\d{0,2})")


def _schedule(given: Any) -> str | tuple[dt.date, ...]:
    if isinstance(given, str):
        if given in _NAMED or _EVERY.fullmatch(given):
            return given
        known = choices(given, (*_NAMED, "every:N"))
        raise ValueError(f"{given!r}: {known} (every N-th trading day), or a list of days")
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"one of {', '.join(_NAMED)}, every:N, or a list of days")
    days = tuple(day_of(one) for one in given)
    if any(b <= a for a, b in pairwise(days)):
        raise ValueError("days must ascend, each once")
    return days


def _written(schedule: str | tuple[dt.date, ...]) -> str | list[str]:
    return schedule if isinstance(schedule, str) else [str(day) for day in schedule]


Schedule = Annotated[str | tuple[dt.date, ...], BeforeValidator(_schedule), PlainSerializer(_written)]
"""``week_end``, ``month_end`` (the last trading day of each), ``daily``, ``every:N`` (the market's first trading
day and every N-th after it), or days."""


def signal_days(universe: Universe, schedule: str | tuple[dt.date, ...]) -> Bools:
    """(T,) True on the days of a schedule. On a last day whose next trading day isn't known no week or month ends.

    Raises
    ------
    DataError
        a day of a list lies within the market's days and is no trading day.
    """
    if schedule == "week_end":
        return universe.week_ends()
    if schedule == "daily":
        return np.ones(len(universe.dates), np.bool_)
    if schedule == "month_end":
        known: Bools = ~np.isnat(universe.next_date)
        ends: Bools = known & (universe.next_date.astype("datetime64[M]") != universe.dates.astype("datetime64[M]"))
        return ends
    if isinstance(schedule, str):
        matched = _EVERY.fullmatch(schedule)
        assert matched is not None, f"a schedule {schedule!r} that was not checked"
        each: Bools = np.arange(len(universe.dates)) % int(matched[1]) == 0
        return each
    return _listed(universe.dates, np.array(schedule, "datetime64[D]"))


def _listed(dates: Dates, days: Dates) -> Bools:
    inside = days[(days >= dates[0]) & (days <= dates[-1])]
    closed = inside[~np.isin(inside, dates)]
    if len(closed):
        raise DataError(f"signal: {closed[0]} is no trading day of this market ({len(closed)} of {len(days)} days)")
    listed: Bools = np.isin(dates, days)
    return listed
