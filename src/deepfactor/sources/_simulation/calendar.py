"""Trading days: weekends and the long public holidays closed, by rule, for the years that settings allow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from deepfactor.core.arrays import Dates
from deepfactor.core.errors import UserError

#: Unpublished days that run before `start`, so that memories and averages are settled on the first published day.
BURN_IN = 300

#: Eves of the lunar new year; the market is closed for seven days from them.
_EVES = """
2004-01-21 2005-02-08 2006-01-28 2007-02-17
2008-02-06 2009-01-25 2010-02-13 2011-02-02 2012-01-22 2013-02-09 2014-01-30 2015-02-18 2016-02-07 2017-01-27
2018-02-15 2019-02-04 2020-01-24 2021-02-11 2022-01-31 2023-01-21 2024-02-09 2025-01-28 2026-02-16 2027-02-05
2028-01-25 2029-02-12 2030-02-02 2031-01-22 2032-02-10 2033-01-30 2034-02-18
"""
LUNAR_NEW_YEAR_EVES: Dates = np.array(_EVES.split(), "datetime64[D]")


def trading_days(first: np.datetime64, last: np.datetime64) -> Dates:
    """Trading days with first ≤ day ≤ last: (E,) datetime64[D].

    A rule, not the exchanges' list: Monday to Friday except 1 January, 5 April, 1–3 May, 1–7 October and the lunar new
    year week. About 247 days a year.
    """
    days = np.arange(first, last + 1)
    weekday = (days.astype(np.int64) + 3) % 7
    month_start = days.astype("datetime64[M]")
    month = month_start.astype(np.int64) % 12 + 1
    day = (days - month_start).astype(np.int64) + 1
    closed = (weekday >= 5) | ((month == 1) & (day == 1)) | ((month == 4) & (day == 5))
    closed |= ((month == 5) & (day <= 3)) | ((month == 10) & (day <= 7))
    for eve in LUNAR_NEW_YEAR_EVES:
        closed |= (days >= eve) & (days < eve + 7)
    open_days: Dates = days[~closed]
    return open_days


@dataclass(frozen=True)
class Clock:
    """The market's days.

    Attributes
    ----------
    days : (E,) datetime64[D]
        trading days from the burn-in's first to the end of the year after `end`. Row numbers everywhere in the engine
        count from days[0].
    start, stop : int
        published rows are start … stop − 1.
    """

    days: Dates
    start: int
    stop: int

    @property
    def published(self) -> Dates:
        """(T,) days of the tables."""
        return self.days[self.start : self.stop]

    @property
    def announced(self) -> Dates:
        """Trading days from the first published one to a year past the last, as exchanges publish them ahead."""
        horizon = self.published[-1] + np.timedelta64(365, "D")
        return self.days[self.start : np.searchsorted(self.days, horizon, side="right")]

    def row(self, day: str) -> int:
        """Row of the first trading day at or after `day` (0 or E where beyond the calendar)."""
        return int(np.searchsorted(self.days, np.datetime64(day, "D")))

    def years(self) -> range:
        """Calendar years that have simulated days."""
        year = self.days[[0, self.stop - 1]].astype("datetime64[Y]").astype(int) + 1970
        return range(int(year[0]), int(year[1]) + 1)


def make_clock(start: date, end: date) -> Clock:
    """The clock of a market published from `start` to `end`, both inclusive.

    Raises
    ------
    UserError
        fewer than two trading days between them: no return could be formed.
    """
    first = np.datetime64(start, "D")
    days = trading_days(first - 2 * BURN_IN, np.datetime64(f"{end.year + 1}-12-31"))
    row = int(np.searchsorted(days, first))
    beyond = int(np.searchsorted(days, np.datetime64(end, "D"), side="right"))
    if beyond - row < 2:
        raise UserError(
            f"a simulated market wants two trading days or more, there are {beyond - row} in {start} … {end}"
        )
    return Clock(days[row - BURN_IN :], BURN_IN, beyond - row + BURN_IN)
