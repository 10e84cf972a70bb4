"""Our tables out of whatever a mapping names (see `_mapping`), read by a `Reader`: files or a database.

The mapping says everything that is particular to the vendor: names, units, forms of codes, step tables, renamed
indices. What is dropped, derived or corrected on the way is counted for the manifest.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TypedDict

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence
from deepfactor.sources._basis import notes_of
from deepfactor.sources._changes import Changes
from deepfactor.sources._codes import Read
from deepfactor.sources._files import Extract, convert
from deepfactor.sources._fundamentals import columns_of, finish_figures, statement_figures, step_figures
from deepfactor.sources._intervals import flag_of, spells_of
from deepfactor.sources._levels import mend_levels
from deepfactor.sources._mapping import Mapping, TableMapping
from deepfactor.sources._mapping_key import key_of
from deepfactor.sources._mapping_parts import Drop, Fundamentals, FundamentalSteps, Intervals
from deepfactor.sources._reader import Reader
from deepfactor.sources._steps import step_values, steps_of
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
_MATCHING = Sentence("rows whose {column} matches {pattern} ({why})", "{column}符合{pattern}的行（{why}）")
_MISSING = Sentence("{field} is missing on {n} rows of {symbols} symbols", "{field}缺失：{symbols}个代码共{n}行")
_DENIED = Sentence(
    "in {n} intervals of {part} a row that doesn't match starts: they hold to their end",
    "{part}中有{n}个区间内另有不符合的记录开始，仍以区间的截止日为准",
)
_NOT_TOLD = Sentence(
    "{n} symbols have no row in {part}: taken as not marked", "{n}个代码在{part}中没有记录，视为无标记"
)
_INCOMPLETE = Sentence("intervals of {index} before it is complete on {day}", "{index}于{day}成分齐全之前的区间")
_CUT = Sentence("{n} intervals of {index} begin on {day}, not before", "{index}的{n}段区间自{day}起，而非更早")
_NO_PRICES = Sentence("rows of {n} symbols without prices", "{n}个没有行情的代码的行")


class FiguresMemo(TypedDict):
    """What names the bytes that the figures came from, whether more are to come, and companies without prices."""

    contents: list[str | None]
    waiting: bool
    without_prices: list[str]


class MappedTables:
    """Tables by a mapping; see `deepfactor.sources.base.Source`."""

    def __init__(self, mapping: Mapping, reader: Reader) -> None:
        self._mapping = mapping
        self._reader = reader
        self._changes = Changes(mapping, reader)
        self._dropped: dict[str, dict[str, int]] = {}
        self._derived: dict[str, list[str]] = {}
        self._counted: dict[str, list[str]] = {}
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
        self._dropped[table], self._derived[table], self._counted[table] = {}, [], []
        if table == "fundamentals" and self._mapping.fundamentals is not None:
            return self._figures(self._mapping.fundamentals, end)
        spec = self._mapping.tables[table]
        frame = self._read(table, spec, None if table == "index_weights" else start, end)
        if table == "daily":
            return self._finish_daily(spec, frame)
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
            "derived": sorted(f"{table}.{what}" for table, made in self._derived.items() for what in made),
            "dropped": {why: n for drops in self._dropped.values() for why, n in drops.items()},
            "notes": [
                *mapping.notes,
                *notes_of(
                    self._basis,
                    has_vwap="vwap" in mapping.tables["daily"].columns,
                    vwap_from_prices=mapping.vwap_from_prices,
                ),
                *(note for table in self.tables() for note in self._counted.get(table, [])),
                *(self._changes.notes() if self._counted else []),
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
    def _basis(self) -> Basis:
        mapping = self._mapping
        return Basis(mapping.adjusted, mapping.adjusted_volume, mapping.no_adjustment)

    def unchanged(self, table: str, memo: FiguresMemo) -> bool:
        """Whether the figures would be those of `memo`; see `deepfactor.sources.base.Remembering`."""
        made = self._mapping.fundamentals
        if table != "fundamentals" or made is None or self._priced is None or memo["waiting"]:
            return False
        return memo["contents"] == self._contents(made) and self._priced.isdisjoint(memo["without_prices"])

    def _contents(self, spec: Fundamentals) -> list[str | None]:
        """What names the bytes of each file or query."""
        by_origin = {part.of_kind(self._mapping.ORIGIN): part for _, part in spec.parts()}
        return [self._reader.content(part) for part in by_origin.values()]

    def _files(self) -> dict[str, str]:
        """The file of each table, of `fundamentals` the first."""
        made = self._mapping.fundamentals.parts()[:1] if self._mapping.fundamentals else []
        origins = [*self._mapping.tables.items(), *(("fundamentals", part) for _, part in made)]
        return {name: origin.file for name, origin in origins if origin.file is not None}

    def _figures(self, spec: Fundamentals, end: date | None) -> pl.DataFrame:
        """Table `fundamentals` from step tables and statements; needs the trading days of `daily`."""
        if self._trading_days.is_empty():
            raise DataError("fetch daily before fundamentals: its trading days say when a figure may be used")
        parts, days = [], self._trading_days
        for label, part in spec.parts():
            extract = self._reader.read(part, columns_of(part), part.where, label)
            part_of = label.removeprefix("fundamentals.")
            read = self._coded("fundamentals", extract, {"symbol": part.symbol}, drop=True, part=part_of)
            if isinstance(part, FundamentalSteps):
                parts.append(step_figures(read.extract, part, read, days))
                continue
            figures, guessed = statement_figures(read.extract, part, read.codes["symbol"], days)
            parts.append(figures)
            if guessed:
                what = _NO_ANNOUNCEMENT.format(n=guessed, part=part.file or label)
                self._counted["fundamentals"].append(f"fundamentals: {what}")
        rows, lost, waiting = finish_figures(parts)
        if any(steps.reports for steps in spec.steps):
            self._derived["fundamentals"].append("period_end")
        if lost:
            self._drop("fundamentals", _REPLACED, lost)
        kept = self._priced_only("fundamentals", rows)
        contents = self._contents(spec)
        if None not in contents:
            strangers = set(rows["symbol"].unique()) - set(kept["symbol"].unique())
            self._memos["fundamentals"] = {
                "contents": contents,
                "waiting": waiting > 0 or end is not None,
                "without_prices": sorted(strangers),
            }
        return kept.filter(pl.col("known_at") <= end) if end else kept

    def _read(self, table: str, spec: TableMapping, start: date | None, end: date | None) -> pl.DataFrame:
        """The mapped columns in our types, between `start` and `end`."""
        wanted = [*(column.source for column in spec.columns.values()), *(drop.column for drop in spec.drop)]
        dated = "date" in TABLES[table].columns
        bounds = {spec.columns["date"].source: (start, end)} if dated and (start or end) else {}
        extract = self._without_drops(table, spec.drop, self._reader.read(spec, wanted, spec.where, table, bounds))
        coded = {name: c.source for name, c in spec.columns.items() if name in _CODES and c.names is None}
        read = self._coded(table, extract, coded, drop=spec.priced_only)
        extract, codes = read.extract, read.codes
        frame = pl.DataFrame(
            {
                name: codes[name] if name in codes else convert(extract, column, name, table, spec.date_format)
                for name, column in spec.columns.items()
            }
        )
        if table == "daily":
            _require_ascending(extract, frame.with_columns(**read.ages()), spec.columns["date"].source)
        if table == "index_members" and "end_date" not in frame.columns:  # the vendor has open ends alone
            frame = frame.with_columns(end_date=pl.lit(None, dtype=pl.Date))
        frame, replaced = self._changes.one_history(table, spec, read, frame)
        if replaced:
            self._drop(table, _OLD_CODES, replaced)
        if dated:
            inside = [pl.col("date") >= start] if start else []
            inside += [pl.col("date") <= end] if end else []
            frame = frame.filter(inside) if inside else frame
        elif table == "fundamentals" and end:
            frame = frame.filter(pl.col("known_at") <= end)
        if table == "daily":
            self._look_over(spec)
            frame, notes = mend_levels(spec, frame, self._reader, self._changes.codes, self._vendors)
            self._counted["daily"] += notes
        return frame

    def _coded(
        self, table: str, extract: Extract, columns: abc.Mapping[str, str], *, drop: bool = False, part: str = ""
    ) -> Read:
        """The rows with good codes, and those codes; what is dropped is counted for `table`. See `Codes.read`."""
        read = self._changes.codes.read(extract, columns, drop=drop)
        for why, n in read.dropped.items():
            self._drop(table, why, n, part)
        return read

    def _drop(self, table: str, why: str, rows: int, part: str = "") -> None:
        """Count rows that are left out of `table`, or of a part of what makes it."""
        self._dropped[table][f"{table}.{part}: {why}" if part else f"{table}: {why}"] = rows

    def _look_over(self, spec: TableMapping) -> None:
        """Days and symbols of all rows of prices, whatever part of them is asked for; what no table needs is left."""
        day, symbol = spec.columns["date"], spec.columns["symbol"]
        made = self._mapping.fundamentals is not None
        if spec.steps or made:
            days = self._reader.distinct(spec, day.source, spec.where, "daily")
            self._trading_days = convert(days, day, "date", "daily", spec.date_format).unique().sort()
        if spec.level_changes or made or any(table.priced_only for table in self._mapping.tables.values()):
            symbols = self._reader.distinct(spec, symbol.source, spec.where, "daily")
            read = self._changes.codes.read(symbols, {"symbol": symbol.source}, drop=True)
            self._vendors = {}
            theirs = read.extract[symbol.source].cast(pl.String)
            for ours, code in zip(read.codes["symbol"].cast(pl.String), theirs, strict=True):
                self._vendors.setdefault(ours, []).append(code)
        self._priced = frozenset(self._vendors)

    def _without_drops(self, table: str, drops: Sequence[Drop], extract: Extract, part: str = "") -> Extract:
        """Without the rows that the mapping drops, counted."""
        for drop in drops:
            bad = extract[drop.column].cast(pl.String).str.contains(drop.matching).fill_null(False)
            if bad.any():
                why = _MATCHING.format(column=drop.column, pattern=drop.matching, why=drop.why)
                self._drop(table, why, int(bad.sum()), part)
                extract = extract.keep(~bad)
        return extract

    def _finish_daily(self, spec: TableMapping, frame: pl.DataFrame) -> pl.DataFrame:
        """Step tables, and the count of what is missing."""
        if (spec.steps or spec.intervals) and not _sorted_by_symbol(frame):
            frame = frame.sort("symbol", "date")
        for number, steps in enumerate(spec.steps):
            columns = [steps.symbol, steps.date, steps.value]
            extract = self._reader.read(steps, columns, steps.where, f"daily.steps.{number}")
            read = self._coded("daily", extract, {"symbol": steps.symbol}, drop=True, part=f"steps.{number}")
            known_steps = steps_of(read.extract, steps, read)
            value = step_values(frame, steps, known_steps, self._trading_days)
            frame = self._filled(frame, steps.into, value, derived=steps.times is not None)
        for number, intervals in enumerate(spec.intervals):
            frame = self._with_flag(frame, intervals, f"intervals.{number}")
        if self._mapping.vwap_from_prices:
            prices = pl.mean_horizontal("open", "high", "low", "close", ignore_nulls=False)
            frame = frame.with_columns(vwap=pl.when(pl.col("volume") > 0).then(prices))
            self._derived["daily"].append("vwap")
        frame, notes = self._changes.one_level(frame)
        self._counted["daily"] += notes
        for name in frame.columns:
            missing = frame[name].null_count()
            if missing:
                symbols = frame.filter(pl.col(name).is_null())["symbol"].n_unique()
                self._counted["daily"].append(_MISSING.format(field=f"daily.{name}", n=missing, symbols=symbols))
        return frame

    def _filled(self, frame: pl.DataFrame, into: str, value: pl.Series, *, derived: bool) -> pl.DataFrame:
        """Table `daily` with `value` in the column `into` where it isn't known yet; delivered so, or `derived`."""
        known = frame[into] if into in frame.columns else None
        if derived and into not in self._derived["daily"]:
            self._derived["daily"].append(into)
        return frame.with_columns((value if known is None else known.zip_with(known.is_not_null(), value)).alias(into))

    def _with_flag(self, frame: pl.DataFrame, intervals: Intervals, label: str) -> pl.DataFrame:
        """Table `daily` with the flag of a table of intervals; what it doesn't tell is counted."""
        named = [name for name in (intervals.symbol, intervals.start, intervals.end, intervals.value) if name]
        wanted = [*named, *(drop.column for drop in intervals.drop)]
        extract = self._reader.read(intervals, wanted, intervals.where, f"daily.{label}")
        extract = self._without_drops("daily", intervals.drop, extract, part=label)
        read = self._coded("daily", extract, {"symbol": intervals.symbol}, drop=True, part=label)
        spells, denied = spells_of(read.extract, intervals, read)
        if denied:
            what = _DENIED.format(n=denied, part=label)
            self._counted["daily"].append(f"daily.{intervals.into}: {what}")
        ours, told = (set(column.unique().cast(pl.String)) for column in (frame["symbol"], read.codes["symbol"]))
        if ours - told and intervals.matching is not None:
            what = _NOT_TOLD.format(n=len(ours - told), part=label)
            self._counted["daily"].append(f"daily.{intervals.into}: {what}")
        return self._filled(frame, intervals.into, flag_of(frame, spells), derived=True)

    def _finish_members(self, spec: TableMapping, frame: pl.DataFrame) -> pl.DataFrame:
        """Days before an index is complete cut off."""
        for index, begin in spec.begin.items():
            mine = pl.col("index").cast(pl.String) == index
            over = frame.filter(mine & (pl.col("end_date") < begin)).height
            cut = frame.filter(mine & (pl.col("start_date") < begin)).height - over
            self._drop("index_members", _INCOMPLETE.format(index=index, day=begin), over)
            self._counted["index_members"].append(f"index_members: {_CUT.format(n=cut, index=index, day=begin)}")
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
            self._drop(table, _NO_PRICES.format(n=lost["symbol"].n_unique()), lost.height)
        return frame.filter(has)


def _require_ascending(extract: Extract, frame: pl.DataFrame, column: str) -> None:
    """Dates must ascend within each symbol, whether the rows are laid out by date or by symbol."""
    if frame["date"].is_sorted() or _sorted_by_symbol(frame):
        return
    codes = ["symbol", *(["age"] if "age" in frame.columns else [])]
    falls = frame.select((pl.col("date") < pl.col("date").shift(1)).over(codes).fill_null(value=False).arg_true())
    if falls.height:
        how = "sort the file" if isinstance(extract.origin, Path) else "end the query with ORDER BY"
        raise extract.fault(f"date runs backwards within symbol: {how}", column, int(falls.item(0, 0)))


def _sorted_by_symbol(frame: pl.DataFrame) -> bool:
    """Whether rows come by symbol, then date. Codes are an Enum in the order of text."""
    symbol, day = pl.col("symbol").to_physical(), pl.col("date")
    wrong = (symbol < symbol.shift(1)) | ((symbol == symbol.shift(1)) & (day < day.shift(1)))
    return not frame.select(wrong.any()).item()
