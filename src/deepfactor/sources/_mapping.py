"""The mapping that says how a vendor's files or queries become our tables: one TOML, read into these specs."""

from __future__ import annotations

import datetime
import re
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import recipe_error
from deepfactor.core.spec import Spec
from deepfactor.store.schema import TABLES


class Pattern(Spec):
    """A vendor's form of a code and ours: a regular expression over the whole code, groups as ``$1``."""

    pattern: str
    to: str

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value

    def apply(self, code: str) -> str | None:
        """Our form of `code`; None where the pattern doesn't match."""
        match = re.fullmatch(self.pattern, code)
        return re.sub(r"\$(\d+)", lambda group: match[int(group[1])], self.to) if match else None


class Column(Spec):
    """Where one of our columns comes from.

    `multiply` and `divide` bring it to our unit (CNY, shares, fractions); `divide` by a power of ten is exact where
    multiplying by its inverse isn't. `names` renames values (vendor's = ours); a value that it lacks is an error.
    `equals` makes a flag.
    """

    source: str = Field(alias="from")
    multiply: float | None = Field(default=None, gt=0)
    divide: float | None = Field(default=None, gt=0)
    names: dict[str, str] | None = None
    equals: float | str | None = None


def _short_form(value: object) -> object:
    """``close = "c"`` for ``close = { from = "c" }``."""
    if not isinstance(value, dict):
        return value
    return {name: {"from": column} if isinstance(column, str) else column for name, column in value.items()}


#: Our column = theirs (its name, or a `Column`).
Columns = Annotated[dict[str, Column], BeforeValidator(_short_form)]


class Origin(Spec):
    """Where rows come from: `file`, parquet or CSV by its ending, relative to the folder; or `query`, SQL."""

    file: str | None = None
    query: str | None = None

    def of_kind(self, kind: Literal["file", "query"]) -> str:
        """The file or the query; the mapping has made sure that it is there."""
        origin = self.file if kind == "file" else self.query
        assert origin is not None
        return origin


class Steps(Origin):
    """A step table: a row each time a value changed, carried forward onto the rows of `daily`.

    Attributes
    ----------
    into : column of `daily` that it fills
    symbol, date, value : columns of the file or the query
    where : only rows whose columns have these values
    times : column of `daily` that the value is multiplied by (float shares × close = float market value)
    equals : the result is the flag "value equals this"
    symbols : only symbols (ours) that match this regular expression
    start, end : only days of `daily` within
    lag_days : trading days after its date from which a value may be used; 0 = on its date (a date without trading
        counts as the next trading day)

    Several steps into one column: the first that knows a value wins.
    """

    into: str
    symbol: str = "symbol"
    date: str = "date"
    value: str
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    times: str | None = None
    multiply: float | None = Field(default=None, gt=0)
    divide: float | None = Field(default=None, gt=0)
    equals: float | str | None = None
    symbols: str | None = None
    start: datetime.date | None = None
    end: datetime.date | None = None
    lag_days: int = Field(default=1, ge=0)
    date_format: str = "%Y-%m-%d"


class FundamentalSteps(Origin):
    """An item of `fundamentals` from a step table: a row each time the publicly known value changed.

    Attributes
    ----------
    item : ours, such as ``net_profit_ttm``
    reports : each step is a report, whose quarter is told from its day (for flows and balance sheets); false for what
        changes on any day, such as a number of shares
    null_is_loss : a missing value means "a loss"; the item ``<item>_loss`` is 1 there and 0 elsewhere
    end : last day that the vendor knows of; after it the value is missing, not the last one for ever
    symbol, date, value, where, lag_days, multiply, divide, date_format : as in `Steps`
    """

    item: str
    symbol: str = "symbol"
    date: str = "date"
    value: str
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    reports: bool = True
    null_is_loss: bool = False
    multiply: float | None = Field(default=None, gt=0)
    divide: float | None = Field(default=None, gt=0)
    end: datetime.date | None = None
    lag_days: int = Field(default=1, ge=0)
    date_format: str = "%Y-%m-%d"


class Statements(Origin):
    """Items of `fundamentals` from a file or a query with a row a report; a restatement is a row of its own.

    Attributes
    ----------
    period, announced : columns with the period's end and the day of publication; without `announced`, or where it is
        missing, the statutory deadline
    items : item (ours, such as ``net_profit_ytd``) = column, or a `Column` with its unit
    lag_days : trading days after the announcement
    """

    symbol: str = "symbol"
    period: str
    announced: str | None = None
    items: Columns
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    lag_days: int = Field(default=1, ge=0)
    date_format: str = "%Y-%m-%d"


class Fundamentals(Spec):
    """What the table `fundamentals` is made of."""

    steps: tuple[FundamentalSteps, ...] = ()
    statements: tuple[Statements, ...] = ()

    def parts(self) -> list[tuple[str, FundamentalSteps | Statements]]:
        """Everything that it reads, each with its key in the mapping."""
        return [
            *((f"fundamentals.steps.{number}", steps) for number, steps in enumerate(self.steps)),
            *((f"fundamentals.statements.{number}", one) for number, one in enumerate(self.statements)),
        ]


class Drop(Spec):
    """Rows whose `column` (theirs, as text) matches the regular expression `matching` are dropped and counted."""

    column: str
    matching: str
    why: str


class LevelChange(Spec):
    """The vendor's level of `column` of `symbol` jumps on `date` without a cause; it is taken out."""

    column: Literal["adj_factor"] = "adj_factor"
    symbol: str
    date: datetime.date


class TableMapping(Origin):
    """One of our tables from one file or one query.

    Attributes
    ----------
    columns : our column = theirs, or a `Column`
    where : only rows whose columns (theirs) have these values
    date_format : of dates that are text or whole numbers, as ``%Y%m%d``
    drop : rows that are known to be of no use; each kind is counted
    begin : for `index_members`: index (ours) = first day from which its members are complete; earlier days are cut off
        the intervals, and counted
    priced_only : rows of symbols without a row in `daily` are dropped, with a count
    steps, level_changes : for `daily`
    """

    columns: Columns
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    date_format: str = "%Y-%m-%d"
    drop: tuple[Drop, ...] = ()
    begin: dict[str, datetime.date] = Field(default_factory=dict)
    priced_only: bool = False
    steps: tuple[Steps, ...] = ()
    level_changes: tuple[LevelChange, ...] = ()


class Append(Spec):
    """How a market goes on: `only_new_days` = files hold the days since the last delivery and none before."""

    only_new_days: bool = False


class Mapping(Spec):
    """A whole mapping file. `ORIGIN` is what its kind of source reads.

    `adjusted` = prices come adjusted and there are no raw ones: limits and lots are off, which the notes say.
    """

    ORIGIN: ClassVar[Literal["file", "query"]] = "file"

    name: str
    cap: Literal["float", "total"] = "float"
    notes: tuple[str, ...] = ()
    symbols: tuple[Pattern, ...] = ()
    tables: dict[str, TableMapping]
    fundamentals: Fundamentals | None = None
    adjusted: bool = False
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
        if self.adjusted and "daily" in self.tables and "adj_factor" in self.tables["daily"].columns:
            raise ValueError("adjusted = true says that prices come adjusted: then leave out adj_factor")
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
            for column in [*table.columns, *(step.into for step in table.steps)]:
                if column not in TABLES[name].columns:
                    known = ", ".join(TABLES[name].columns)
                    raise ValueError(f"tables.{name}: unknown column {column!r}; there are {known}")
            for column in TABLES[name].required():
                if column not in table.columns and not _may_be_absent(name, column):
                    raise ValueError(f"tables.{name}.columns: {column} is missing")
            if name != "daily" and (table.steps or table.level_changes):
                raise ValueError(f"tables.{name}: steps and level_changes belong to tables.daily")
            if name != "index_members" and table.begin:
                raise ValueError(f"tables.{name}: begin belongs to tables.index_members")
        return self

    @model_validator(mode="after")
    def _one_origin_each(self) -> Mapping:
        for key, part in self.origins():
            given = [kind for kind in ("file", "query") if getattr(part, kind) is not None]
            if given != [self.ORIGIN]:
                there = f"{' and '.join(given)} given" if given else "none given"
                raise ValueError(f"{key}.{self.ORIGIN}: give a {self.ORIGIN} and nothing else ({there})")
        return self

    def origins(self) -> list[tuple[str, Origin]]:
        """Everything that the mapping reads, each with its key in the mapping."""
        parts: list[tuple[str, Origin]] = []
        for name, table in self.tables.items():
            parts.append((f"tables.{name}", table))
            parts += [(f"tables.{name}.steps.{number}", step) for number, step in enumerate(table.steps)]
        return [*parts, *(self.fundamentals.parts() if self.fundamentals else ())]


def _may_be_absent(table: str, column: str) -> bool:
    """Required by the store, but the source can make it: members that are open-ended."""
    return (table, column) == ("index_members", "end_date")


def shipped_mappings() -> list[str]:
    """Names of the mappings that come with the package."""
    folder = resources.files("deepfactor.sources") / "mappings"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_toml(file: Traversable) -> dict[str, Any]:
    """A TOML file's content; a `RecipeError` where it is none."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} is no TOML: {error}", key="mapping") from None


def load_mapping(name_or_path: str) -> Mapping:
    """A shipped mapping by name, or a TOML file by path.

    Raises
    ------
    RecipeError
        no such mapping, no TOML, or a wrong key (named).
    """
    if name_or_path in shipped_mappings():
        content = read_toml(resources.files("deepfactor.sources") / "mappings" / f"{name_or_path}.toml")
    else:
        path = Path(name_or_path)
        if not path.is_file():
            shipped = ", ".join(shipped_mappings())
            raise RecipeError(f"{name_or_path} is neither a shipped mapping ({shipped}) nor a TOML file", key="mapping")
        content = read_toml(path)
    content.pop("kind", None)  # "tables": what brought us here
    try:
        return Mapping(**content)
    except ValidationError as error:
        raise RecipeError(str(recipe_error(error)), key=f"mapping {name_or_path}") from None
