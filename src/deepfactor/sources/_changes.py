"""Codes that changed, as a mapping names them, in the tables that are made by it: one history a company."""

from __future__ import annotations

from datetime import date
from functools import cached_property

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence
from deepfactor.sources._codes import Codes, Read
from deepfactor.sources._convert import convert
from deepfactor.sources._mapping import Mapping, TableMapping
from deepfactor.sources._mapping_parts import Rename
from deepfactor.sources._reader import Reader
from deepfactor.sources._renames import in_force, renames_of, stated
from deepfactor.store.records import CodesAccount
from deepfactor.store.records import Rename as RenameRecord
from deepfactor.store.stitching import Contradiction, Turn, leveled, stitch, turns

_LEVELED = Sentence(
    "daily.adj_factor of {symbol}: before its change of code on {day} on the level after it, × {by}",
    "{symbol}的复权因子：{day}更换代码之前的数值已按之后的水平衔接，乘以{by}",
)
_NOT_MET = Sentence("renames: no row has the old code {code}", "renames：没有旧代码为{code}的行")


class Changes:
    """The changes of codes that a mapping names and that are in force on the last day of prices."""

    def __init__(self, mapping: Mapping, reader: Reader) -> None:
        self._mapping = mapping
        self._reader = reader
        self._renames: dict[str, Rename] = {}
        self._turns: list[Turn] = []
        self._levels: dict[Turn, float] = {}
        self._newest: dict[str, date] = {}

    @cached_property
    def codes(self) -> Codes:
        """How codes are read, the changes included."""
        mapping = self._mapping
        renames = stated(mapping.renames, mapping.symbols)
        if mapping.rename_table is not None:
            table = mapping.rename_table
            columns = [table.old, table.new, *([table.date] if table.date else [])]
            extract = self._reader.read(table, columns, table.where, "rename_table")
            renames += renames_of(extract, table, mapping.symbols)
        dated = any(one.date for one in renames)
        self._renames = in_force(renames, self._last_day() if dated else None)
        return Codes(mapping.symbols, mapping.indices, mapping.drop_unknown, self._renames)

    def _last_day(self) -> date | None:
        """The last day with prices."""
        daily = self._mapping.tables["daily"]
        days = self._reader.distinct(daily, daily.columns["date"].source, daily.where, "daily")
        last = convert(days, daily.columns["date"], "date", "daily", daily.date_format).max()
        return last if isinstance(last, date) else None

    def one_history(self, table: str, spec: TableMapping, read: Read, frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """`frame`, a row a row of `read`, as one history a company; and how many rows newer codes' replaced."""
        if table == "daily":
            self._turns, self._newest = [], self._first_days(read, frame)
        if read.age is None and not (table == "securities" and self._renames):
            return frame, 0
        age = pl.Series([0]).new_from_index(0, frame.height) if read.age is None else read.age
        changed = {one.new: one.date for one in self._renames.values() if one.date is not None}
        try:
            stitched = stitch(table, frame, age, changed)
        except Contradiction as error:
            raise read.extract.fault(str(error), spec.columns[error.column].source, error.position) from None
        if table == "daily":
            self._turns = turns(frame, age)
        return stitched.frame, stitched.replaced

    def _first_days(self, read: Read, daily: pl.DataFrame) -> dict[str, date]:
        """The first row of each company under the newest of several codes."""
        if not self._renames:
            return {}
        rows = daily.select("symbol", "date").with_columns(pl.lit(0).alias("age")).with_columns(**read.ages())
        targets = [one.new for one in self._renames.values()]
        rows = rows.filter((pl.col("age") == 0) & pl.col("symbol").cast(pl.String).is_in(targets))
        return dict(rows.group_by(pl.col("symbol").cast(pl.String)).agg(pl.col("date").min()).rows())

    def one_level(self, daily: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
        """Prices (by symbol and date) with the factors before each change on the level of those after it, and notes."""
        shares: dict[Turn, float] = {}
        for symbol, day in self._turns:
            given = [one.shares for one in self._renames.values() if one.new == symbol and one.shares is not None]
            if given:
                shares[symbol, day] = given[0]
        try:
            daily, self._levels = leveled(daily, self._turns, shares)
        except Contradiction as error:
            raise DataError(str(error), table="daily", column=error.column) from None
        return daily, [
            _LEVELED.format(symbol=symbol, day=day, by=f"{by:.6g}") for (symbol, day), by in self._levels.items()
        ]

    def notes(self) -> list[str]:
        """Changes of the mapping's own list that no row answers to, once all tables are read."""
        own = {one.old for one in stated(self._mapping.renames, self._mapping.symbols)} & self._renames.keys()
        return [_NOT_MET.format(code=old) for old in sorted(own - self.codes.met)]

    def add_to(self, account: CodesAccount) -> None:
        """Say what the store wants to know: see `deepfactor.store.renaming`."""
        if self._renames:
            account["renames"] = sorted(map(_record, self._renames.values()))
        if self._levels:
            account["levels"] = [(symbol, day.isoformat(), scale) for (symbol, day), scale in self._levels.items()]
        if self._newest:
            account["newest"] = {symbol: day.isoformat() for symbol, day in sorted(self._newest.items())}


def _record(one: Rename) -> RenameRecord:
    return one.old, one.new, None if one.date is None else one.date.isoformat(), one.shares
