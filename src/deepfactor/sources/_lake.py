"""A lake as what a mapping reads: its `file` is a view, made of the newest answers to some of a vendor's calls."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.toml import read_toml
from deepfactor.lake.folder import Lake, Recorded
from deepfactor.sources._convert import where_holds
from deepfactor.sources._extract import Among, Extract
from deepfactor.sources._mapping import Mapping as MappingSpec
from deepfactor.sources._mapping_columns import Origin
from deepfactor.sources._reader import Values
from deepfactor.store.dates import ZONE

#: First and last day of rows that are wanted, both included, None = open.
Span = tuple[date | None, date | None]


#: What an answer that is of one day was asked for by.
DAY = "trade_date"


@dataclass(frozen=True)
class Held:
    """The answers that a lake held at a time (None = now).

    `first`: of its first so many answers (None = all). `days`: as they were asked for; then other days' answers are
    left out of those that are of one day each.
    """

    lake: Lake
    as_of: datetime | None = None
    first: int | None = None
    days: frozenset[str] | None = None

    def of(self, *apis: str) -> list[Recorded]:
        """The newest to each request of these calls."""
        every = self.lake.of(*apis, as_of=self.as_of, first=self.first)
        if self.days is None:
            return every
        return [one for one in every if not (day := one.request[DAY]) or day in self.days]

    def has(self, api: str) -> bool:
        """Whether there is any answer to a call."""
        return self.lake.has(api, self.as_of)

    def of_all_days(self) -> Held:
        """The same with the answers of all days."""
        return replace(self, days=None)

    def rows(self, recorded: Sequence[Recorded], columns: Sequence[str]) -> pl.DataFrame:
        """Their rows, as text."""
        return self.lake.rows(recorded, columns)

    def distinct(self, recorded: Sequence[Recorded], column: str) -> pl.Series:
        """The values of a column of theirs, each once."""
        return self.lake.distinct(recorded, column)


@dataclass(frozen=True)
class View:
    """A table of a vendor's.

    Attributes
    ----------
    apis : calls whose answers it is made of
    make : the rows of a span of days, which views without days ignore
    distinct : column = what gives all its values without making the whole view
    """

    apis: tuple[str, ...]
    make: Callable[[Held, Span], pl.DataFrame]
    distinct: Mapping[str, Callable[[Held], pl.Series]] = field(default_factory=dict)


class LakeReader:
    """Reads a mapping's views; see `deepfactor.sources._reader.Reader`."""

    def __init__(self, held: Held, views: Mapping[str, View]) -> None:
        self._held, self._views = held, views

    def read(
        self,
        origin: Origin,
        columns: Sequence[str],
        where: Values,
        label: str,
        among: Among | None = None,
        numbers: Collection[str] = (),
    ) -> Extract:
        """Rows of a view; see `Reader.read`."""
        span = next((wanted for wanted in (among or {}).values() if isinstance(wanted, tuple)), (None, None))
        view = self._views[origin.of_kind("file")]
        rows = view.make(self._held, span).select(list(dict.fromkeys([*columns, *where])))
        extract = where_holds(Extract(f"{label} of the lake", rows), where)
        for column, wanted in (among or {}).items():
            if not isinstance(wanted, tuple):
                extract = extract.keep(extract[column].cast(pl.String).is_in(list(wanted)))
        return extract

    def distinct(self, origin: Origin, column: str, where: Values, label: str) -> Extract:
        """Distinct values of a view's column; see `Reader.distinct`."""
        view = self._views[origin.of_kind("file")]
        if column in view.distinct:
            return Extract(label, pl.DataFrame({column: view.distinct[column](self._held)}))
        rows = self.read(origin, [column], where, label)
        return Extract(label, rows.frame.select(column).unique(maintain_order=True).drop_nulls())

    def content(self, origin: Origin) -> str | None:
        """Hash of the answers that a view is made of; see `Reader.content`."""
        told = sorted(
            (one.request.key(), one.content) for one in self._held.of(*self._views[origin.of_kind("file")].apis)
        )
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def notes(self) -> list[str]:
        """Nothing; see `Reader.notes`."""
        return []


def open_held(folder: Path | None, vendor: str, as_of: date | None, needed: Sequence[str]) -> Held:
    """The lake in `folder` as it was at the end of the day `as_of` in Shanghai.

    Raises
    ------
    DataError
        no lake of this vendor's, or answers that no market can do without are missing.
    """
    if folder is None:
        raise DataError(f"source {vendor} reads a lake: give its folder with --folder")
    lake = Lake.open(folder, vendor)
    end = None
    if as_of is not None:
        end = datetime.combine(as_of, time.max, ZoneInfo(ZONE)).astimezone(UTC)
    held = Held(lake, end)
    for api in needed:
        if not held.has(api):
            when = "" if as_of is None else f" by {as_of}"
            raise DataError(
                f"the lake has no answers of {api}{when}: `deepfactor fetch {vendor}` asks for them", file=folder
            )
    return held


def lake_mapping(vendor: str, held: Held, views: Mapping[str, View], of_columns: Mapping[str, str]) -> MappingSpec:
    """The shipped mapping of a vendor's lake, without what the lake has no answers for.

    `of_columns`: column of the vendor's = the call that it comes from, where that isn't its view's first.
    """
    file = resources.files("deepfactor.sources") / "lakes" / f"{vendor}.toml"
    content = read_toml(file, vendor)
    there = {api for view in views.values() for api in view.apis if held.has(api)}
    tables: dict[str, Any] = content["tables"]
    for name in [name for name, table in tables.items() if there.isdisjoint(views[table["file"]].apis)]:
        del tables[name]
    daily = tables["daily"]
    daily["columns"] = {
        ours: theirs
        for ours, theirs in daily["columns"].items()
        if of_columns.get(theirs if isinstance(theirs, str) else theirs["from"], "daily") in {*there, "daily"}
    }
    daily["intervals"] = [one for one in daily.get("intervals", ()) if not there.isdisjoint(views[one["file"]].apis)]
    made = content.pop("fundamentals", {"statements": []})
    statements = [one for one in made["statements"] if not there.isdisjoint(views[one["file"]].apis)]
    return MappingSpec(**content, **({"fundamentals": {"statements": statements}} if statements else {}))


def numbers(rows: pl.DataFrame, columns: Sequence[str], label: str) -> pl.DataFrame:
    """Columns of text as float64.

    Raises
    ------
    DataError
        a value is no number; names it.
    """
    made = rows.with_columns(pl.col(columns).replace("", None).cast(pl.Float64, strict=False))
    for column in columns:
        if made[column].null_count() == rows[column].null_count():
            continue
        lost = rows[column].is_not_null() & (rows[column] != "") & made[column].is_null()
        if lost.any():
            value = rows[column][int(lost.arg_max() or 0)]
            raise DataError(f"{value!r} is no number", table=f"{label} of the lake", column=column)
    return made


def as_days(rows: pl.DataFrame, columns: Sequence[str], label: str, form: str) -> pl.DataFrame:
    """Columns of text as dates; see `numbers`."""
    made = rows.with_columns(pl.col(columns).replace("", None).str.to_date(form, strict=False))
    for column in columns:
        lost = rows[column].is_not_null() & (rows[column] != "") & made[column].is_null()
        if lost.any():
            value = rows[column][int(lost.arg_max() or 0)]
            raise DataError(f"{value!r} is no date such as {form}", table=f"{label} of the lake", column=column)
    return made


def inside(day: date, span: Span) -> bool:
    """Whether a day lies in a span."""
    return (span[0] is None or span[0] <= day) and (span[1] is None or day <= span[1])
