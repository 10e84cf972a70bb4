"""Source `simulated`: a market made by a seed, with known truth. The default market, and the double that tests use.

A market, not noise with a planted column: boards, listings, delistings, ST, suspensions, splits and dividends; returns
of market, industries, styles and alpha with clustering fat-tailed noise, cut at each day's price limit; indices re-set
twice a year; quarterly statements, known on the day after their announcement, some restated. Alpha is made of decaying
memories of signals from the published tables and of hidden neighbours (`_simulation.alpha`), which gives the oracle in
closed form. With ``alpha = 0`` there is nothing to be found.

The oracle is no table of the market: it goes to a file beside it, for tests and for a report's ceiling alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.core.words import Sentence
from deepfactor.sources._simulation import tables
from deepfactor.sources._simulation.day_loop import World
from deepfactor.sources._simulation.indices import Index, make_indices
from deepfactor.sources._simulation.market import History, make_world, run_market
from deepfactor.sources._simulation.settings import PARTS, VISIBLE, Settings, Strength, Volatility
from deepfactor.store.records import Account

__all__ = ["PARTS", "VISIBLE", "Settings", "Simulated", "Strength", "Volatility", "open_source"]


def open_source(settings: Settings, folder: Path | None = None, trust: Trust = SHIPPED) -> Simulated:
    """The source of a simulated market; `folder` and `trust` are not used, nothing is read from disk."""
    return Simulated(settings)


_MADE_UP = Sentence(
    "returns, names and industries are made up by a seed; dates follow a holiday rule",
    "收益、名称与行业均由随机种子生成；日期遵循节假日规则",
)


class Simulated:
    """A simulated market as a source. It is made when the first table is asked for, and kept."""

    name = "simulated"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._makers: dict[str, Callable[[], pl.DataFrame]] = {
            "daily": lambda: tables.daily(self._world, self._history),
            "securities": lambda: tables.securities(self._world, self._history),
            "industry": lambda: tables.industry(self._world, self._history),
            "fundamentals": lambda: tables.fundamentals(self._world, self._history),
            "index_members": lambda: tables.index_members(self._world, self._history, self._indices),
            "index_weights": lambda: tables.index_weights(self._world, self._history, self._indices),
            "index_daily": lambda: tables.index_daily(self._history, self._indices),
            "calendar": lambda: tables.calendar(self._world),
        }

    def tables(self) -> tuple[str, ...]:
        """Names of the tables that `fetch` can give."""
        return tuple(self._makers)

    def fetch(self, table: str, start: date | None = None, end: date | None = None) -> pl.DataFrame:
        """A table in the store's columns; tables with a date a row hold start ≤ date ≤ end (None = open).

        `fundamentals` hold what was known by `end`, from the first report on, `index_weights` all publications to it.

        Raises
        ------
        DataError
            no such table here.
        """
        if table not in self._makers:
            raise DataError(f"the simulated market has no table {table!r}: it has {', '.join(self._makers)}")
        frame = self._makers[table]()
        if "date" in frame.columns:
            if start is not None and table != "index_weights":
                frame = frame.filter(pl.col("date") >= start)
            if end is not None:
                frame = frame.filter(pl.col("date") <= end)
        elif "known_at" in frame.columns and end is not None:
            frame = frame.filter(pl.col("known_at") <= end)
        return frame

    def describe(self) -> Account:
        """What the market's manifest says of its source."""
        return {
            "name": self.name,
            "settings": self.settings.model_dump(mode="json"),
            "simulated": True,
            "cap": "float",
            "derived": [],
            "dropped": {},
            "notes": [str(_MADE_UP)],
        }

    def oracle(self) -> pl.DataFrame:
        """The truth, by symbol and date: expected return close t+1 → close t+1+h that signals up to t have committed.

        Columns date, symbol, and for each h of 5, 10, 20: ``oracle_<h>`` (the sum of the parts), ``oracle_visible_<h>``
        (reversal, trend and divergence, which prices and volumes show) and ``oracle_<part>_<h>`` for each of `PARTS`.
        Fractions, float32; a row for each listed stock and published day. Exact but for the price limits, which cut
        what is committed and make it smaller, and for `carry`, an upper bound (see `_simulation.alpha`).
        """
        return tables.oracle(self._world, self._history)

    def neighbours(self) -> pl.DataFrame:
        """Whose residual returns spill over to whom: columns symbol, neighbour. Known to tests alone."""
        return tables.neighbours(self._world, self._history)

    @cached_property
    def _world(self) -> World:
        return make_world(self.settings)

    @cached_property
    def _history(self) -> History:
        return run_market(self._world)

    @cached_property
    def _indices(self) -> dict[str, Index]:
        return make_indices(self._history, self._world.clock)
