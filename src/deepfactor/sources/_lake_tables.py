"""A lake's tables for a market that goes on: only days whose answers are other than they were are read again.

What proves it: the market keeps how far the lake's journal went when it was made, with a checksum. The journal is only
ever appended to, so the answers of then can be named, and each has the hash of its content. A day is made of its own
answers and of marks that intervals (names) give; where neither changed, it would be made the same again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from deepfactor.core.version import __version__
from deepfactor.sources._changes import Changes
from deepfactor.sources._lake import DAY, Held, LakeReader, View
from deepfactor.sources._lake_news import News, days_of_flag
from deepfactor.sources._mapped import MappedTables
from deepfactor.sources._mapping import Mapping as MappingSpec
from deepfactor.store.deltas import Changed, Given, Holding, Standing, days_in_words
from deepfactor.store.records import Account

#: The table that the memo is of, and from when on an answer was asked for that is of many days.
_DAILY, _START = "daily", "start_date"


class LakeTables:
    """Tables of a lake that is asked by day; see `deepfactor.sources.base.Comparing`.

    The mapping adds nothing to `daily` but intervals, and names no changes of codes.
    """

    def __init__(self, mapping: MappingSpec, held: Held, views: Mapping[str, View]) -> None:
        self._mapping, self._held, self._views = mapping, held, views
        self._all = MappedTables(mapping, LakeReader(held, views))
        self._tables = self._all  # those asked last

    @property
    def name(self) -> str:
        """The mapping's name."""
        return self._all.name

    def tables(self) -> tuple[str, ...]:
        """See `Source.tables`."""
        return self._all.tables()

    def fetch(self, table: str, start: date | None, end: date | None) -> pl.DataFrame:
        """See `Source.fetch`."""
        self._tables = self._all
        return self._tables.fetch(table, start, end)

    def unchanged(self, table: str, memo: Any) -> bool:
        """See `deepfactor.sources.base.Remembering`."""
        return table != _DAILY and self._tables.unchanged(table, memo)

    def describe(self) -> Account:
        """See `Source.describe`."""
        account = self._tables.describe()
        as_of = self._held.as_of
        memo = {**self._held.lake.mark(), "as_of": None if as_of is None else as_of.isoformat(), "made_by": __version__}
        account["memos"] = {**account.get("memos", {}), _DAILY: memo}
        return account

    def changes(self, held: Holding) -> Iterator[tuple[str, Given]] | None:
        """See `deepfactor.sources.base.Comparing`."""
        then = self._then(held.memos.get(_DAILY))
        if isinstance(then, str):
            held.tell(f"{then}: what changed since can't be told")
            return None
        return self._changes(held, then)

    def _then(self, memo: Any) -> Held | str:
        """The answers that a market was made of, by its memo; or why they can't be named."""
        if memo is None:
            return "the market doesn't say how far the lake went when it was made"
        if memo["made_by"] != __version__:
            return f"the market was made by deepfactor {memo['made_by']}, which may have read answers otherwise"
        first = self._held.lake.answers_at(memo)
        if first is None:
            return "the lake's journal isn't the one that the market was made from, continued"
        as_of = memo["as_of"]
        return Held(self._held.lake, None if as_of is None else datetime.fromisoformat(as_of), first)

    def _changes(self, held: Holding, then: Held) -> Iterator[tuple[str, Given]]:
        news = News.between(then, self._held, {api for view in self._views.values() for api in view.apis})
        days = self._days(news, then)
        held.tell(f"of the lake's answers, other than before: {news.words()}; reading {days_in_words(days)} again")
        if not news.answers:
            yield from ((table, Standing()) for table in self.tables())
            return
        text = frozenset(f"{day:%Y%m%d}" for day in days)
        reader = LakeReader(replace(self._held, days=text), self._views)
        self._tables = MappedTables(self._mapping, reader, held.symbols(days))
        daily = self._tables.fetch(_DAILY, None, None)
        yield _DAILY, Changed(days, daily) if len(days) else Standing()
        others = self._tables.priced != held.symbols(days.clear())
        for table in self.tables():
            memo = held.memos.get(table)
            if table == _DAILY or (memo is not None and self.unchanged(table, memo)):
                continue
            yield table, self._other(table, news, held, priced_anew=others)

    def _other(self, table: str, news: News, held: Holding, *, priced_anew: bool) -> Given:
        """What to say of a table but `daily`."""
        if table == "fundamentals":
            return self._tables.fetch(table, None, None)
        spec = self._mapping.tables[table]
        changed = news.of(self._views[spec.of_kind("file")])
        if not changed and not (spec.priced_only and priced_anew):
            return Standing()
        if table != "index_daily" or not all(request[_START] for request in changed):
            return self._tables.fetch(table, held.since, None)
        start = min(_day(request[_START]) for request in changed)
        rows = self._tables.fetch(table, start, None)
        days = [*rows["date"].to_list(), *([held.last] if held.last else []), start]
        return Changed(
            pl.Series("date", [start + timedelta(days=n) for n in range((max(days) - start).days + 1)]), rows
        )

    def _days(self, news: News, then: Held) -> pl.Series:
        """The days of which `daily` may be other than it was."""
        spec = self._mapping.tables[_DAILY]
        view = self._views[spec.of_kind("file")]
        days = [_day(request[DAY]) for request in news.of(view)]
        named = [part for part in spec.intervals if news.of(self._views[part.of_kind("file")])]
        if named:
            codes = Changes(self._mapping, LakeReader(self._held, self._views)).codes
            every = pl.Series("date", sorted({_day(one.request[DAY]) for one in self._held.of(*view.apis)}), pl.Date)
            for part in named:
                days += days_of_flag(part, self._views, codes, then, self._held, every).to_list()
        return pl.Series("date", sorted(set(days)), pl.Date)


def _day(text: str) -> date:
    """A day as it was asked for."""
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
