"""Days as people write them: 2020-01-02, 2020/1/2, 2020.01.02 or 20200102, as text or as a whole number."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_WRITTEN = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})|(\d{4})(\d{2})(\d{2})")
#: Years in which a day can be meant: the exchanges opened in 1990.
FIRST_YEAR, LAST_YEAR = 1990, 2100


def day_of(given: Any) -> dt.date:
    """The day that a date, a text or a whole number stands for.

    Raises
    ------
    ValueError
        no such day, a form in which day and month could be confused, or a year that no market has.
    """
    if isinstance(given, dt.datetime):
        if given.time() != dt.time(0) or given.tzinfo is not None:
            raise ValueError("is a moment, wanted a day like 2020-01-02")
        given = given.date()
    day = given if isinstance(given, dt.date) else _parsed(str(given) if isinstance(given, int) else given)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _parsed(text: Any) -> dt.date:
    matched = _WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if matched is None:
        raise ValueError("is no day: write it like 2020-01-02 or 20200102")
    year, _, month, day, *compact = matched.groups()
    numbers = (year, month, day) if year else compact
    try:
        return dt.date(*map(int, numbers))
    except ValueError:
        raise ValueError("is no day of the calendar") from None


#: A setting that is a day.
Day = Annotated[dt.date, BeforeValidator(day_of)]
