"""When a vendor's day is over: before that it isn't asked for, and what was asked for earlier is asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from deepfactor.store.dates import ZONE

#: In Shanghai. Bars are out by 17:30 (BaoStock) or earlier, the latest factors at 17:00 (Tushare).
EVENING = time(18, 0)
_SHANGHAI = ZoneInfo(ZONE)


def evening_of(day: date) -> datetime:
    """When the data of a day are settled, in UTC."""
    return datetime.combine(day, EVENING, _SHANGHAI).astimezone(UTC)


def last_evening(now: datetime) -> datetime:
    """The last evening that has begun, in UTC: a list that was fetched since is as new as it gets."""
    here = now.astimezone(_SHANGHAI)
    day = here.date() if here.time() >= EVENING else here.date() - timedelta(days=1)
    return evening_of(day)


def today(now: datetime) -> date:
    """The day that it is in Shanghai."""
    return now.astimezone(_SHANGHAI).date()


def settled(days: Sequence[date], now: datetime) -> list[date]:
    """The days whose data are settled."""
    return [day for day in days if evening_of(day) <= now]
