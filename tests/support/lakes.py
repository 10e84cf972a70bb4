"""Lakes of the tests: fetched from a server on this machine, under a clock that a test sets."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from deepfactor.lake._baostock.calls import USUAL
from deepfactor.lake._baostock.plan import BaoStock
from deepfactor.lake._tushare.calls import TABLES
from deepfactor.lake._tushare.plan import Tushare
from deepfactor.lake._tushare.wire import TushareWire
from deepfactor.lake.credentials import Secret
from deepfactor.lake.fetching import Fetched, Wanted, fetch
from deepfactor.lake.folder import Lake
from deepfactor.lake.live import Live, Wire
from deepfactor.lake.pace import Pace
from support.clock import FakeClock
from support.tushare_server import TOKEN, Server
from support.vendor_tushare import TushareData, TushareInMemory

#: All tables that a market is made of.
ALL = tuple(TABLES)
BAOSTOCK = USUAL
PRICES = ("suspend_d", "daily", "adj_factor", "daily_basic", "stk_limit")


class Listening:
    """Keeps what a fetch says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, key: str, done: float, total: float, note: str) -> None: ...

    def finish(self, key: str) -> None: ...


def fetch_tushare(
    path: Path,
    server: Server,
    since: date,
    until: date,
    tables: tuple[str, ...] = PRICES,
    *,
    clock: FakeClock | None = None,
    whole: float = 5.0,
    listening: Listening | None = None,
    **plan: Any,
) -> Fetched:
    """One fetch, as the verb does it, but for the clock and the time-out."""
    clock, listening = clock or FakeClock(), listening or Listening()
    pace = Pace(clock, 10_000)
    wire = TushareWire(Secret(TOKEN), pace, server.url, whole)
    wanted = Wanted(since, until, frozenset(tables), clock.now())
    try:
        with Lake.writing(path, "tushare") as lake:
            return fetch(lake, Tushare(**plan), Live(wire, pace, clock, listening.say), wanted, clock, listening)
    finally:
        wire.close()


def tushare_lake(
    path: Path,
    data: TushareData,
    since: date,
    until: date,
    tables: tuple[str, ...] = ALL,
    clock: FakeClock | None = None,
) -> Path:
    """A lake of the vendor's answers, fetched without a network."""
    clock = clock or FakeClock()
    wanted = Wanted(since, until, frozenset(tables), clock.now())
    with Lake.writing(path, "tushare") as lake:
        live = Live(TushareInMemory(data), Pace(clock, 10**6), clock)
        fetch(lake, Tushare(), live, wanted, clock, Listening())
    return path


def baostock_lake(
    path: Path,
    wire: Wire,
    since: date,
    until: date,
    tables: tuple[str, ...] = BAOSTOCK,
    clock: FakeClock | None = None,
    listening: Listening | None = None,
) -> Fetched:
    """One fetch from BaoStock over a wire."""
    clock, listening = clock or FakeClock(), listening or Listening()
    wanted = Wanted(since, until, frozenset(tables), clock.now())
    with Lake.writing(path, "baostock") as lake:
        live = Live(wire, Pace(clock, 10**6), clock, listening.say)
        return fetch(lake, BaoStock(), live, wanted, clock, listening)


def contents(path: Path) -> dict[str, str]:
    """What a lake holds: request = hash of the newest answer, read and compared with what was noted."""
    lake = Lake.open(path)
    newest = {one.request.key(): one for one in lake.recorded}
    for one in newest.values():
        rows = lake.rows([one], one.columns)
        assert rows.height == one.rows
        assert set(rows.dtypes) <= {pl.String}
    return {key: one.content for key, one in sorted(newest.items())}
