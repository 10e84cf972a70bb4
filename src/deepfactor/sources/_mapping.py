"""The mapping that says how a vendor's files or queries become our tables: one TOML, read into these specs."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import polars as pl
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import recipe_error
from deepfactor.core.spec import Spec
from deepfactor.core.toml import read_toml
from deepfactor.sources._formula import parsed
from deepfactor.sources._mapping_columns import Column, Columns, DateFormat, Drop, Origin, Pattern, one_or_several
from deepfactor.sources._mapping_parts import (
    Fundamentals,
    Halts,
    Intervals,
    Joined,
    LevelChange,
    Rename,
    RenameTable,
    Steps,
)
from deepfactor.store.schema import TABLES

#: Columns of `daily` that intervals can fill.
_FLAGS = ("is_st", "is_suspended")
_CODES = ("symbol", "index")
#: What is read beside the rows of a table, as a mapping names it.
_BESIDE = ("joined", "halts", "steps", "intervals")
_OF_FILES = ("optional", "may_lack", "aliases", "order_by", "must_be", "sheet", "skip_rows", "wide")


class TableMapping(Origin):
    """One of our tables from one file or one query.

    Attributes
    ----------
    columns : our column = theirs, a formula, or a table that says more
    where : only rows whose columns (theirs) have these values
    date_format : of dates that are text or whole numbers, as ``%Y%m%d``
    drop : rows that are known to be of no use; each kind is counted
    begin : for `index_members`: index (ours) = first day from which its members are complete; earlier days are cut off
        the intervals, and counted
    priced_only : rows of symbols without a row in `daily` are dropped, with a count
    listed_on : for `index_members` and `industry`: the column of days, where each day has a whole list. Intervals are
        made: from the first list with a row to the day before the next list without it
    joined : for `daily`: further files with a row a stock and day
    halts : for `daily`: days without trading, from a table
    steps : for `daily`: step tables, carried forward
    intervals : for `daily`: flags from tables of intervals
    level_changes : for `daily`: days on which the factor jumps without an ex-date
    """

    columns: Columns
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    date_format: DateFormat = "%Y-%m-%d"
    drop: tuple[Drop, ...] = ()
    begin: dict[str, datetime.date] = Field(default_factory=dict)
    priced_only: bool = False
    listed_on: str | None = None
    joined: Annotated[tuple[Joined, ...], BeforeValidator(one_or_several)] = ()
    halts: Annotated[tuple[Halts, ...], BeforeValidator(one_or_several)] = ()
    steps: tuple[Steps, ...] = ()
    intervals: Annotated[tuple[Intervals, ...], BeforeValidator(one_or_several)] = ()
    level_changes: tuple[LevelChange, ...] = ()


class Append(Spec):
    """How a market goes on.

    Attributes
    ----------
    only_new_days : files hold the days since the last delivery and none before
    """

    only_new_days: bool = False


class Mapping(Spec):
    """A whole mapping file. `ORIGIN` is what its kind of source reads.

    Attributes
    ----------
    name : of the source, in results
    cap : which market value there is, "float" or "total"
    notes : what is to be known of the data, kept with the market
    symbols : forms of codes of stocks; the first that matches counts, what matches none must be as 600000.SH
    indices : forms of codes of indices, as `symbols`; without any, `symbols` are theirs too
    drop_unknown : rows of codes that are no A-shares (of indices: no indices) are dropped and counted, not refused
    renames : codes that changed: the rows under the old and the new one are one history
    rename_table : codes that changed, as a table
    tables : our tables; `daily` must be there
    fundamentals : what company figures are made of
    adjusted : prices come adjusted and there are no raw ones: limits and lots are off, which the notes say
    adjusted_volume : of `adjusted`: volumes are too (raw ÷ factor)
    vwap_from_prices : of `adjusted`: (open + high + low + close) / 4 stands for the vwap that raw volumes can't give
    no_adjustment : prices are raw and there is no factor: returns contain the drops of ex-dates
    append : how a market goes on
    """

    ORIGIN: ClassVar[Literal["file", "query"]] = "file"

    name: str
    cap: Literal["float", "total"] = "float"
    notes: tuple[str, ...] = ()
    symbols: tuple[Pattern, ...] = ()
    indices: tuple[Pattern, ...] = ()
    drop_unknown: bool = False
    renames: tuple[Rename, ...] = ()
    rename_table: RenameTable | None = None
    tables: dict[str, TableMapping]
    fundamentals: Fundamentals | None = None
    adjusted: bool = False
    adjusted_volume: bool = False
    vwap_from_prices: bool = False
    no_adjustment: bool = False
    append: Append = Append()

    @model_validator(mode="after")
    def _possible_by_new_days_alone(self) -> Mapping:
        """What looks back over days that a delivery of new days doesn't hold."""
        if not self.append.only_new_days:
            return self
        daily = self.tables.get("daily")
        lagged = [step.into for step in (daily.steps if daily else ()) if step.lag_days > 0]
        why = "append.only_new_days: a delivery of new days alone"
        if lagged:
            raise ValueError(f"{why} can't count the trading days of lag_days (steps into {', '.join(lagged)})")
        if daily and daily.level_changes:
            raise ValueError(f"{why} doesn't hold the factor before a level change (tables.daily.level_changes)")
        if self.fundamentals is not None:
            raise ValueError(f"{why} can't tell the trading day from which each of the [fundamentals] is known")
        if priced := [name for name, table in self.tables.items() if table.priced_only]:
            raise ValueError(f"{why} doesn't hold all symbols with prices (priced_only of {', '.join(priced)})")
        return self

    @model_validator(mode="after")
    def _adjusted_or_raw(self) -> Mapping:
        daily = self.tables.get("daily")
        joined = [column for part in (daily.joined if daily else ()) for column in part.columns]
        given = [*daily.columns, *joined, *(step.into for step in daily.steps)] if daily else []
        said = [name for name in ("adjusted", "no_adjustment") if getattr(self, name)]
        if len(said) > 1:
            raise ValueError("adjusted = true says that prices are adjusted, no_adjustment = true that they aren't")
        if said and "adj_factor" in given:
            what = "come adjusted" if self.adjusted else "are not adjusted"
            raise ValueError(f"{said[0]} = true says that prices {what}: then leave out adj_factor")
        of_adjusted = [name for name in ("adjusted_volume", "vwap_from_prices") if getattr(self, name)]
        if of_adjusted and not self.adjusted:
            raise ValueError(f"{of_adjusted[0]} = true is for adjusted = true alone")
        if self.vwap_from_prices and "vwap" in given:
            raise ValueError("vwap_from_prices = true makes a vwap: then leave out the column vwap")
        return self

    @model_validator(mode="after")
    def _known_tables_and_columns(self) -> Mapping:
        if "daily" not in self.tables:
            raise ValueError("tables.daily is missing: a market needs it")
        if self.fundamentals is not None and "fundamentals" in self.tables:
            raise ValueError("give either [tables.fundamentals] or [fundamentals], not both")
        for name, table in self.tables.items():
            if name not in TABLES:
                raise ValueError(f"tables.{name}: unknown table; there are {', '.join(TABLES)}")
            _check_columns(name, table)
            _check_parts(name, table)
        return self

    @model_validator(mode="after")
    def _one_origin_each(self) -> Mapping:
        wanted = ("file", "files") if self.ORIGIN == "file" else ("query",)
        for key, part in self.origins():
            given = [kind for kind in ("file", "files", "query") if getattr(part, kind) is not None]
            if len(given) != 1 or given[0] not in wanted:
                there = f"{' and '.join(given)} given" if given else "none given"
                raise ValueError(f"{key}.{self.ORIGIN}: give a {self.ORIGIN} and nothing else ({there})")
            if self.ORIGIN == "query" and (not part.as_it_is or part.optional):
                raise ValueError(f"{key}: a query says itself what it reads: {', '.join(_OF_FILES)} are for files")
        if self.tables["daily"].optional:
            raise ValueError("tables.daily can't be optional: a market needs it")
        return self

    def origins(self) -> list[tuple[str, Origin]]:
        """Everything that the mapping reads, each with its key in the mapping."""
        parts: list[tuple[str, Origin]] = []
        for name, table in self.tables.items():
            parts.append((f"tables.{name}", table))
            for kind in _BESIDE:
                parts += [(f"tables.{name}.{kind}.{number}", one) for number, one in enumerate(getattr(table, kind))]
        if self.rename_table is not None:
            parts.append(("rename_table", self.rename_table))
        return [*parts, *(self.fundamentals.parts() if self.fundamentals else ())]


def without(mapping: Mapping, keys: Collection[str]) -> Mapping:
    """The mapping without these of its `origins`."""
    if not keys:
        return mapping
    tables = {}
    for name, table in mapping.tables.items():
        if f"tables.{name}" not in keys:
            left = {kind: _left(getattr(table, kind), f"tables.{name}.{kind}", keys) for kind in _BESIDE}
            tables[name] = table.model_copy(update=left)
    made, of = mapping.fundamentals, "fundamentals"
    if made is not None:
        steps = _left(made.steps, f"{of}.steps", keys)
        made = Fundamentals(steps=steps, statements=_left(made.statements, f"{of}.statements", keys))
        made = made if made.parts() else None
    rename_table = None if "rename_table" in keys else mapping.rename_table
    return mapping.model_copy(update={"tables": tables, "fundamentals": made, "rename_table": rename_table})


def _left(parts: tuple[Any, ...], key: str, keys: Collection[str]) -> tuple[Any, ...]:
    return tuple(part for number, part in enumerate(parts) if f"{key}.{number}" not in keys)


def _check_columns(name: str, table: TableMapping) -> None:
    """Every column is one of the store's table `name`, and those that it requires are there."""
    joined = {column: how for part in table.joined for column, how in part.columns.items()}
    for column in [*table.columns, *(s.into for s in table.steps), *(i.into for i in table.intervals), *joined]:
        if column not in TABLES[name].columns:
            known = ", ".join(TABLES[name].columns)
            raise ValueError(f"tables.{name}: unknown column {column!r}; there are {known}")
    for column in TABLES[name].required():
        if column not in table.columns and not _may_be_absent(name, column, table):
            raise ValueError(f"tables.{name}.columns: {column} is missing")
    for column, how in [*table.columns.items(), *joined.items()]:
        _check_way(f"tables.{name}.columns.{column}", TABLES[name].columns[column].dtype, how, coded=column in _CODES)


def _check_way(key: str, dtype: pl.DataType, how: Column, *, coded: bool) -> None:
    """What a column of ours is made by gives values of its type."""
    if how.formula is not None:
        flag = parsed(how.formula).flag
        if dtype != (pl.Boolean if flag else pl.Float64):
            what = "a comparison makes a flag" if flag else "a formula makes numbers"
            raise ValueError(f"{key}: {what}, this is {'a number' if dtype == pl.Float64 else 'none'}")
    if coded and (how.part is not None or how.missing):
        raise ValueError(f"{key}: codes are read by [[symbols]] and [[indices]], not by part and missing")


def _check_parts(name: str, table: TableMapping) -> None:
    """What is filled in beside the columns stands in a table that has it, and fills what may be absent."""
    if name != "daily" and (table.level_changes or any(getattr(table, kind) for kind in _BESIDE)):
        raise ValueError(f"tables.{name}: {', '.join(_BESIDE)} and level_changes belong to tables.daily")
    if table.listed_on is not None and name not in ("industry", "index_members"):
        raise ValueError(f"tables.{name}: listed_on belongs to tables.industry and tables.index_members")
    if table.listed_on is not None and {"start_date", "end_date"} & table.columns.keys():
        raise ValueError(f"tables.{name}: listed_on makes start_date and end_date: leave them out")
    _check_filled(name, table)
    if name != "index_members" and table.begin:
        raise ValueError(f"tables.{name}: begin belongs to tables.index_members")


def _check_filled(name: str, table: TableMapping) -> None:
    """Further files, steps and intervals fill what may be absent."""
    filled = [column for part in table.joined for column in part.columns]
    for column in filled:
        if column in TABLES[name].required():
            raise ValueError(f"tables.{name}.joined: fills columns that may be absent, {column} isn't")
    for step in table.steps:
        if step.into in TABLES[name].required():
            raise ValueError(f"tables.{name}.steps: into is a column that may be absent, {step.into} isn't")
        if step.times not in (None, *table.columns, *filled, *(other.into for other in table.steps)):
            raise ValueError(f"tables.{name}.steps: times is one of its columns, there is no {step.times!r}")
    for part in table.intervals:
        if part.into not in _FLAGS:
            raise ValueError(f"tables.{name}.intervals: into is a flag, {' or '.join(_FLAGS)}")


def _may_be_absent(table: str, column: str, spec: TableMapping) -> bool:
    """Required by the store, but the source can make it: members that are open-ended, intervals of lists."""
    made = column == "start_date" and spec.listed_on is not None
    return made or (table, column) == ("index_members", "end_date")


def shipped_mappings() -> list[str]:
    """Names of the mappings that come with the package."""
    folder = resources.files("deepfactor.sources") / "mappings"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_mapping(name_or_path: str) -> Mapping:
    """A shipped mapping by name, or a TOML file by path.

    Raises
    ------
    RecipeError
        no such mapping, no TOML, or a wrong key (named).
    """
    if name_or_path in shipped_mappings():
        file = resources.files("deepfactor.sources") / "mappings" / f"{name_or_path}.toml"
        content = read_toml(file, name_or_path)
    else:
        path = Path(name_or_path)
        if not path.is_file():
            shipped = ", ".join(shipped_mappings())
            raise RecipeError(f"{name_or_path} is neither a shipped mapping ({shipped}) nor a TOML file", key="mapping")
        content = read_toml(path, name_or_path)
    content.pop("kind", None)  # "tables": what brought us here
    try:
        return Mapping(**content)
    except ValidationError as error:
        raise RecipeError(str(recipe_error(error)), key=f"mapping {name_or_path}") from None
