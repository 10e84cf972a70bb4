"""A market's locked holdout as a user sets it and asks for it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.core.errors import DataError
from deepfactor.core.files import folder_lock
from deepfactor.panel.build import open_panel
from deepfactor.store.folder import MarketFolder
from deepfactor.store.holdout import HoldoutEvent, read_holdout, read_log, set_holdout


class HoldoutState(TypedDict):
    """What is locked of a market now (`start` = first locked day, null = nothing), and all that ever happened to it."""

    market: str
    start: str | None
    locked_days: int
    days: int
    openings: int
    log: list[HoldoutEvent]


def lock(market: Path, start: dt.date | None, why: str = "", *, opening: bool = False) -> None:
    """Lock the market folder `market` from `start` on (None = nothing any more); `why` stands in its log.

    Raises
    ------
    DataError
        no market, or a day before which it has none.
    UserError
        days would be freed, and not `opening`.
    """
    folder = MarketFolder.open(market)
    if start is not None:
        first = open_panel(market, live=True)[0].dates[0]
        if np.datetime64(start, "D") <= first:
            raise DataError(f"--from {start}: the market begins on {first}, nothing would be left to work on")
    with folder_lock(folder.path):
        set_holdout(folder.path, start, why, opening=opening)


def holdout(market: Path) -> HoldoutState:
    """What is locked of a market folder, and the log of it.

    Raises
    ------
    DataError
        no market there.
    """
    folder = MarketFolder.open(market)
    held, (log, unreadable) = read_holdout(folder.path), read_log(folder.path)
    dates = open_panel(market, live=True)[0].dates
    locked = 0 if held is None else int((dates >= np.datetime64(held.start, "D")).sum())
    openings = sum(one["event"] == "opened" for one in log) + unreadable
    return {
        "market": str(market),
        "start": None if held is None else held.start.isoformat(),
        "locked_days": locked,
        "days": len(dates),
        "openings": openings,
        "log": list(log),
    }
