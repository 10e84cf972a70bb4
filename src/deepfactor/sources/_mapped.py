"""Our tables out of whatever a mapping names (see `_mapping`), read by a `Reader`: files or a database.

The mapping says everything that is particular to the vendor: names, units, forms of codes, step tables, renamed
indices. What is dropped, derived or corrected on the way is counted for the manifest.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import NotRequired, TypedDict

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.spec import content_key
from deepfactor.core.words import Sentence
from deepfactor.sources._basis import notes_of
from deepfactor.sources._changes import Changes
from deepfactor.sources._codes import Read
from deepfactor.sources._convert import as_dates, convert, numeric
from deepfactor.sources._daily import DailyRows
from deepfactor.sources._fundamentals import columns_of, finish_figures, statement_figures, step_figures
from deepfactor.sources._levels import mend_levels
from deepfactor.sources._lists import intervals_of
from deepfactor.sources._mapping import Mapping, TableMapping
from deepfactor.sources._mapping_key import key_of
from deepfactor.sources._mapping_parts import Fundamentals, FundamentalSteps, Halts
from deepfactor.sources._order import out_of_order, reordered
from deepfactor.sources._reader import Reader
from deepfactor.sources._tally import Tally
from deepfactor.store.checks import Basis
from deepfactor.store.records import Account
from deepfactor.store.schema import TABLES

_CODES = ("symbol", "index")
_NO_ANNOUNCEMENT = Sentence(
    "{n} reports of {part} have no announcement: known from the deadline",
    "{part}的{n}份报告没有公告日，自披露截止日起视为已知",
)
_REPLACED = Sentence("figures replaced on the day they became known", "公布当日即被替换的数值")
_OLD_CODES = Sentence("rows under old codes that rows under the newer ones replace", "旧代码的行，已由新代码的行取代")
_INCOMPLETE = Sentence("intervals of {index} before it is complete on {day}", "{index}于{day}成分齐全之前的区间")
_CUT = Sentence("{n} intervals of {index} begin on {day}, not before", "{index}的{n}段区间自{day}起，而非更早")
_NO_PRICES = Sentence("rows of {n} symbols without prices", "{n}个没有行情的代码的行")


class FiguresMemo(TypedDict):
    """What names the bytes that the figures came from, whether more are to come, and companies without prices.

    `until`, `days`: the last trading day then, and a hash of all until it, on which the days of knowing hang; older
    memos have none.
    """

    contents: list[str | None]
    waiting: bool
    without_prices: list[str]
    until: NotRequired[str]
    days: NotRequired[str]


class MappedTables:
    """Tables by a mapping; see `deepfactor.sources.base.Source`.

    `priced`: symbols that have prices on days that the reader leaves out.
    """

    def __init__(self, mapping: Mapping, reader: Reader, priced: frozenset[str] = frozenset()) -> None:
        self._mapping = mapping
        self._elsewhere = priced
        self._reader = reader
        self._changes = Changes(mapping, reader)
        self._tally = Tally()
        self._reordered: set[str] = set()
        self._priced: frozenset[str] | None = None
        self._vendors: dict[str, list[str]] = {}
        self._memos: dict[str, FiguresMemo] = {}
        self._trading_days = pl.Series(dtype=pl.Date)

    @property
    def name(self) -> str:
        """The mapping's name."""
        return self._mapping.name

    def tables(self) -> tuple[str, ...]:
        """Tables that the mapping names, `daily` first."""
        made = {"fundamentals"} if self._mapping.fundamentals else set()
        return tuple(name for name in TABLES if name in self._mapping.tables or name in made)

    def fetch(self, table: str, start: date | None, end: date | None) -> pl.DataFrame:
        """Rows of `table`; see `Source.fetch`."""
        if table not in self.tables():
            raise DataError(f"mapping {self.name} has no table {table!r}: it has {', '.join(self.tables())}")
        self._tally.begin(table)
        if table == "fundamentals" and self._mapping.fundamentals is not None:
            return self._figures(self._mapping.fundamentals, end)
        spec = self._mapping.tables[table]
        if table == "daily":
            rows = DailyRows(self._mapping, self._reader, self._changes, self._tally)
            bars = [self._read(table, spec, start, end)]
            return rows.finished(spec, bars, (start, end), self._trading_days)
        frame = self._read(table, spec, None if table == "index_weights" else start, end)
        if spec.priced_only:
            frame = self._priced_only(table, frame)
        return self._finish_members(spec, frame) if table == "index_members" else frame

    def describe(self) -> Account:
        """The source's account of what it did; see `Source.describe`."""
        mapping = self._mapping
        account: Account = {
            "name": mapping.name,
            "settings": {"mapping": mapping.name, "mapping_key": key_of(mapping)},
            "cap": mapping.cap,
            "simulated": False,
            "derived": sorted(f"{table}.{what}" for table, made in self._tally.derived.items() for what in made),
            "dropped": {why: n for drops in self._tally.dropped.values() for why, n in drops.items()},
            "notes": [
                *mapping.notes,
                *notes_of(
                    self._basis,
                    has_vwap="vwap" in mapping.tables["daily"].columns,
                    vwap_from_prices=mapping.vwap_from_prices,
                ),
                *(note for table in self.tables() for note in self._tally.notes.get(table, [])),
                *(self._changes.notes() if self._tally.notes else []),
                *self._reader.notes(),
            ],
            "files": self._files(),
            "memos": self._memos,
        }
        self._basis.add_to(account)
        self._changes.add_to(account)
        if mapping.append.only_new_days:
            account["only_new_days"] = True
        return account

    @property
    def priced(self) -> frozenset[str]:
        """Symbols that have prices on any day; none before `daily` was fetched."""
        return self._priced or frozenset()

    @property
    def _basis(self) -> Basis:
        mapping = self._mapping
        return Basis(mapping.adjusted, mapping.adjusted_volume, mapping.no_adjustment)

    def unchanged(self, table: str, memo: FiguresMemo) -> bool:
        """Whether the figures would be those of `memo`; see `deepfactor.sources.base.Remembering`."""
        made = self._mapping.fundamentals
        if table != "fundamentals" or made is None or self._priced is None or memo["waiting"]:
            return False
        if "until" not in memo or self._days_until(date.fromisoformat(memo["until"])) != memo.get("days"):
            return False
        return memo["contents"] == self._contents(made) and self._priced.isdisjoint(memo["without_prices"])

    def _days_until(self, last: date) -> str:
        """Hash of the trading days up to one."""
        return content_key([str(day) for day in self._trading_days if day <= last])

    def _contents(self, spec: Fundamentals) -> list[str | None]:
        """What names the bytes of each file or query."""
        by_origin = {part.named or part.query: part for _, part in spec.parts()}
        return [self._reader.content(part) for part in by_origin.values()]

    def _files(self) -> dict[str, str]:
        """The file of each table, of `fundamentals` the first; what rows are counted by, if not by the file's own."""
        made = self._mapping.fundamentals.parts()[:1] if self._mapping.fundamentals else []
        origins = [*self._mapping.tables.items(), *(("fundamentals", part) for _, part in made)]
        order = {name: f" (by {', '.join(TABLES[name].order)})" for name in self._reordered}
        return {name: f"{origin.named}{order.get(name, '')}" for name, origin in origins if origin.named is not None}

    def _figures(self, spec: Fundamentals, end: date | None) -> pl.DataFrame:
        """Table `fundamentals` from step tables and statements; needs the trading days of `daily`."""
        if self._trading_days.is_empty():
            raise DataError("fetch daily before fundamentals: its trading days say when a figure may be used")
        parts, days = [], self._trading_days
        for label, part in spec.parts():
            extract = self._reader.read(part, columns_of(part), part.where, label)
            part_of, codes = label.removeprefix("fundamentals."), self._changes.codes
            read = self._tally.coded(codes, "fundamentals", extract, {"symbol": part.symbol}, drop=True, part=part_of)
            if isinstance(part, FundamentalSteps):
                parts.append(step_figures(read.extract, part, read, days))
                continue
            figures, guessed = statement_figures(read.extract, part, read.codes["symbol"], days)
            parts.append(figures)
            if guessed:
                what = _NO_ANNOUNCEMENT.format(n=guessed, part=part.named or label)
                self._tally.notes["fundamentals"].append(f"fundamentals: {what}")
        rows, lost, waiting = finish_figures(parts)
        if any(steps.reports for steps in spec.steps):
            self._tally.made("fundamentals", "period_end")
        if lost:
            self._tally.drop("fundamentals", _REPLACED, lost)
        kept = self._priced_only("fundamentals", rows)
        contents = self._contents(spec)
        if None not in contents:
            strangers = set(rows["symbol"].unique()) - set(kept["symbol"].unique())
            self._memos["fundamentals"] = {
                "contents": contents,
                "waiting": waiting > 0 or end is not None,
                "without_prices": sorted(strangers),
                "until": str(days[-1]),
                "days": self._days_until(days[-1]),
            }
        return kept.filter(pl.col("known_at") <= end) if end else kept

    def _read(self, table: str, spec: TableMapping, start: date | None, end: date | None) -> pl.DataFrame:
        """The mapped columns in our types, between `start` and `end`."""
        read, frame = self._converted(table, spec, start, end)
        if spec.listed_on is not None:
            frame = _from_lists(table, spec, read, frame)
        else:
            frame, replaced = self._changes.one_history(table, spec, read, frame)
            if replaced:
                self._tally.drop(table, _OLD_CODES, replaced)
        if "date" in TABLES[table].columns:
            inside = [pl.col("date") >= start] if start else []
            inside += [pl.col("date") <= end] if end else []
            frame = frame.filter(inside) if inside else frame
        elif table == "fundamentals" and end:
            frame = frame.filter(pl.col("known_at") <= end)
        if table == "daily":
            self._look_over(spec)
            frame, notes = mend_levels(spec, frame, self._reader, self._changes.codes, self._vendors)
            self._tally.notes["daily"] += notes
        return frame

    def _converted(
        self, table: str, spec: TableMapping, start: date | None, end: date | None
    ) -> tuple[Read, pl.DataFrame]:
        """Rows that may lie between `start` and `end`, and the mapped columns of each, dates ascending."""
        read, made = self._read_rows(table, spec, start, end), {}
        left = list(spec.columns.items())
        while left:  # what is converted is let go of: all columns of a market twice are gigabytes
            name, column = left.pop(0)
            made[name] = (
                read.codes[name] if name in read.codes else convert(read.extract, column, name, table, spec.date_format)
            )
            needed = {spec.listed_on, *(one for _, other in left for one in other.reads)}
            read = replace(read, extract=read.extract.without(set(column.reads) - needed))
        frame = pl.DataFrame(made)
        order = out_of_order(table, read, frame)
        if order is not None:
            self._reordered.add(table)
            read, frame = reordered(read, order), frame[order]
        if table == "index_members" and "end_date" not in frame.columns:  # the vendor has open ends alone
            frame = frame.with_columns(end_date=pl.lit(None, dtype=pl.Date))
        return read, frame

    def _read_rows(self, table: str, spec: TableMapping, start: date | None, end: date | None) -> Read:
        """Rows that may lie between `start` and `end`, as they were there, and their codes."""
        wanted = [name for column in spec.columns.values() for name in column.reads]
        wanted += [*(drop.column for drop in spec.drop), *([spec.listed_on] if spec.listed_on else [])]
        dated = "date" in TABLES[table].columns
        bounds = {spec.columns["date"].source: (start, end)} if dated and (start or end) else {}
        numbers = numeric(table, spec.columns) - {drop.column for drop in spec.drop}
        rows = self._reader.read(spec, wanted, spec.where, table, bounds, numbers)
        extract = self._tally.without(table, spec.drop, rows)
        coded = {name: c.source for name, c in spec.columns.items() if name in _CODES and c.names is None}
        return self._tally.coded(self._changes.codes, table, extract, coded, drop=spec.priced_only)

    def _look_over(self, spec: TableMapping) -> None:
        """Days and symbols of all rows of prices, whatever part of them is asked for; what no table needs is left."""
        day, symbol = spec.columns["date"], spec.columns["symbol"]
        made = self._mapping.fundamentals is not None
        if spec.steps or made:
            days = self._reader.distinct(spec, day.source, spec.where, "daily")
            self._trading_days = convert(days, day, "date", "daily", spec.date_format).unique().sort()
        if spec.level_changes or made or any(table.priced_only for table in self._mapping.tables.values()):
            self._vendors = {}
            parts: list[tuple[TableMapping | Halts, str]] = [(spec, symbol.source)]
            parts += [(halts, halts.symbol) for halts in spec.halts]
            for part, column in parts:
                symbols = self._reader.distinct(part, column, part.where, "daily")
                read = self._changes.codes.read(symbols, {"symbol": column}, drop=True)
                theirs = read.extract[column].cast(pl.String)
                for ours, code in zip(read.codes["symbol"].cast(pl.String), theirs, strict=True):
                    self._vendors.setdefault(ours, []).append(code)
        self._priced = self._elsewhere | self._vendors.keys()

    def _finish_members(self, spec: TableMapping, frame: pl.DataFrame) -> pl.DataFrame:
        """Days before an index is complete cut off."""
        for index, begin in spec.begin.items():
            mine = pl.col("index").cast(pl.String) == index
            over = frame.filter(mine & (pl.col("end_date") < begin)).height
            cut = frame.filter(mine & (pl.col("start_date") < begin)).height - over
            self._tally.drop("index_members", _INCOMPLETE.format(index=index, day=begin), over)
            self._tally.notes["index_members"].append(f"index_members: {_CUT.format(n=cut, index=index, day=begin)}")
            frame = frame.filter(~mine | (pl.col("end_date") >= begin).fill_null(True)).with_columns(
                start_date=pl.when(mine).then(pl.max_horizontal("start_date", pl.lit(begin))).otherwise("start_date")
            )
        return frame

    def _priced_only(self, table: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of symbols that have prices; the others counted."""
        if self._priced is None:
            raise DataError(f"fetch daily before {table}: the mapping keeps only symbols with prices")
        has = frame["symbol"].cast(pl.String).is_in(list(self._priced))
        lost = frame.filter(~has)
        if lost.height:
            self._tally.drop(table, _NO_PRICES.format(n=lost["symbol"].n_unique()), lost.height)
        return frame.filter(has)


def _from_lists(table: str, spec: TableMapping, read: Read, frame: pl.DataFrame) -> pl.DataFrame:
    """Whole lists as of days as intervals; a row without an industry is of none."""
    assert spec.listed_on is not None
    days = as_dates(read.extract, spec.listed_on, spec.date_format)
    if days.null_count():
        raise read.extract.fault("there is no date of this list", spec.listed_on, int(days.is_null().arg_max() or 0))
    keys = [name for name in ("index", "symbol", "industry") if name in frame.columns]
    rows = frame.select(keys).with_columns(listed_on=days)
    lists = rows.select([name for name in ("index",) if name in keys] + ["listed_on"])
    made = intervals_of(rows.drop_nulls(), keys, lists)
    return made.select([name for name in TABLES[table].columns if name in made.columns])
