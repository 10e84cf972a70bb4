"""A market's locked holdout: from a day on, nothing is trained on, tested or shown unless somebody opens it, on record.

::

    MARKET/
        market.toml     [holdout] from = 2023-01-01
        holdout.jsonl   append-only: when it was set or moved, every opening, for what and by whom

Who picks the best of many models by years that should judge it knows nothing of the years to come. So a locked day is
no part of the market that trains, tests and backtests; a desk sees it, since an evening's decision reads no outcome.
"""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from pydantic import Field, ValidationError

from deepfactor.core import journal
from deepfactor.core.days import Day
from deepfactor.core.errors import DamagedFile, DataError, UserError
from deepfactor.core.files import write_text
from deepfactor.core.kind import recipe_error
from deepfactor.core.spec import Spec
from deepfactor.core.system import system_error
from deepfactor.core.toml import read_toml
from deepfactor.core.version import __version__

SETTINGS, LOG = "market.toml", "holdout.jsonl"
Event = Literal["set", "moved", "removed", "opened"]


class HoldoutEvent(TypedDict):
    """A line of ``holdout.jsonl``. `start` = first locked day (null = none any more), `what` = for what, or why."""

    event: Event
    start: str | None
    what: str
    by: str
    at: str
    deepfactor: str


class HoldoutSettings(Spec):
    """``[holdout]`` of ``market.toml``: `from` = first day that is locked."""

    start: Day = Field(alias="from")


class MarketSettings(Spec):
    """``market.toml``: what a user says of a market folder beside its tables."""

    holdout: HoldoutSettings | None = None


@dataclass(frozen=True)
class Holdout:
    """`start`, the first locked day; `openings`, how often it has been opened so far: a line of the log that can't be
    read counts as one."""

    start: dt.date
    openings: int


def read_holdout(market: Path) -> Holdout | None:
    """The locked holdout of a market folder; None = nothing is locked. One that was written into ``market.toml`` by
    hand is logged when it is first seen.

    Raises
    ------
    UserError
        ``market.toml`` is wrong; or it locks less than the log says, which only `set_holdout` may do.
    DamagedFile
        the log is another file.
    """
    start, (log, unreadable) = _settings(market), read_log(market)
    before = _last_start(log)
    if before is not None and (start is None or start > before):
        said = "no holdout" if start is None else f"a holdout from {start}"
        raise UserError(
            f"{market / SETTINGS} says {said}, {market / LOG} one from {before}: put it back, or open it on record "
            f"with deepfactor holdout {market} --from DAY --open-holdout"
        )
    if start is None:
        return None
    if start != before:
        _log(market, "set", start, f"written into {SETTINGS}", must=False)
    return Holdout(start, sum(one["event"] == "opened" for one in log) + unreadable)


def set_holdout(market: Path, start: dt.date | None, what: str, *, opening: bool = False) -> None:
    """Lock a market from `start` on; None = lock nothing any more. `what` says why, for the log.

    Raises
    ------
    UserError
        days that are locked would be free again, and not `opening`.
    """
    before = _last_start(read_log(market)[0])
    frees = before is not None and (start is None or start > before)
    if frees and not opening:
        raise UserError(
            f"locked are the days from {before} on: a later holdout frees days for good. Say --open-holdout to do "
            f"that; it is logged in {market / LOG}"
        )
    if start == before == _settings(market):
        return
    event: Event = "removed" if start is None else "set" if before is None else "moved"
    if frees:  # on record before it is so
        _log(market, event, start, what, must=True)
    write_text(market / SETTINGS, "" if start is None else f"[holdout]\nfrom = {start}\n")
    if not frees and start != before:
        _log(market, event, start, what, must=True)


def log_opening(market: Path, start: dt.date, what: str) -> None:
    """Note that the holdout is opened, for what; a `UserError` where that can't be written down."""
    _log(market, "opened", start, what, must=True)


def read_log(market: Path) -> tuple[tuple[HoldoutEvent, ...], int]:
    """The events of a market's holdout, oldest first, and how many lines can't be read.

    Raises
    ------
    DamagedFile
        it is another file.
    """
    file = market / LOG
    read = journal.read(file)
    if wrong := [one for one in read.records if not HoldoutEvent.__annotations__.keys() <= one.keys()]:
        raise DamagedFile(f"is no log of a holdout: it has a line {wrong[0]}", file=file)
    return tuple(_event(one) for one in read.records), len(read.unreadable)


def _event(line: Mapping[str, object]) -> HoldoutEvent:
    return {name: line[name] for name in HoldoutEvent.__annotations__}  # type: ignore[return-value]


def _last_start(log: tuple[HoldoutEvent, ...]) -> dt.date | None:
    """From when on the log says that days are locked."""
    starts = [one["start"] for one in log if one["event"] != "opened"]
    return None if not starts or starts[-1] is None else dt.date.fromisoformat(starts[-1])


def _settings(market: Path) -> dt.date | None:
    file = market / SETTINGS
    if not file.is_file():
        return None
    try:
        settings: MarketSettings = MarketSettings.model_validate(read_toml(file, str(file)))
    except ValidationError as error:
        raise DataError(str(recipe_error(error)), file=file) from None
    return None if settings.holdout is None else settings.holdout.start


def _log(market: Path, event: Event, start: dt.date | None, what: str, *, must: bool) -> None:
    """A line of the log. Where it can't be written: an error if it `must`, else it is seen again the next time."""
    line: HoldoutEvent = {
        "event": event,
        "start": None if start is None else start.isoformat(),
        "what": what,
        "by": _user(),
        "at": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
        "deepfactor": __version__,
    }
    try:
        journal.append(market / LOG, line)
    except OSError as error:
        if must:
            words = (system_error(error) or (0, str(error)))[1]
            raise UserError(f"the holdout stays locked, since this can't be written down: {words}") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for the user's number
        return "unknown"
