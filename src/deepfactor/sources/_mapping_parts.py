"""Parts of a mapping: changes of codes, steps, intervals, further files, statements."""

from __future__ import annotations

import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from deepfactor.core.spec import Spec
from deepfactor.sources._mapping_columns import Columns, DateFormat, Drop, Origin
from deepfactor.sources._regex import Matching, Searching


class Rename(Spec):
    """A company's code that changed, in our form.

    Attributes
    ----------
    old : the code before, in our form
    new : the code after, in our form
    date : day from which the new one is the company's; the change is made once the market reaches it. None = whenever
        the old one is met
    shares : new shares for an old one, of a merger; the factor before the change is then brought to the level after it
        by this. None = told from the rows around the change
    """

    old: str = Field(min_length=1)
    new: str = Field(min_length=1)
    date: datetime.date | None = None
    shares: float | None = Field(default=None, gt=0)


class RenameTable(Origin):
    """Changes of codes as a table.

    Attributes
    ----------
    old, new : columns of the codes, before and after
    date : column of the day, as in `renames`
    where : only rows whose columns have these values
    date_format : of dates that are text or whole numbers
    """

    old: str = "old"
    new: str = "new"
    date: str | None = None
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    date_format: DateFormat = "%Y-%m-%d"


class Steps(Origin):
    """A step table: a row each time a value changed, carried forward onto the rows of `daily`.

    Attributes
    ----------
    into : column of `daily` that it fills
    symbol, date, value : columns of the file or the query
    where : only rows whose columns have these values
    multiply, divide : to our unit
    times : column of `daily` that the value is multiplied by (float shares × close = float market value)
    equals : the result is the flag "value equals this"
    matching : the result is the flag "the value as text matches this regular expression", as in `Intervals`
    symbols : only symbols (ours) that match this regular expression
    start, end : only days of `daily` within
    lag_days : trading days after its date from which a value may be used; 0 = on its date (a date without trading
        counts as the next trading day). By default 0 for `adj_factor`, which is that of its ex-date, else 1
    date_format : of dates that are text or whole numbers
    before_first : the value (after `multiply` and `divide`) before a symbol's first step, and of symbols without any;
        None = none is known there

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
    matching: Matching | None = None
    symbols: Searching | None = None
    start: datetime.date | None = None
    end: datetime.date | None = None
    lag_days: int = Field(default=1, ge=0, le=2500)
    date_format: DateFormat = "%Y-%m-%d"
    before_first: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _factor_of_its_ex_date(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("into") == "adj_factor":
            return {"lag_days": 0, **content}
        return content

    @model_validator(mode="after")
    def _one_flag(self) -> Steps:
        if self.equals is not None and self.matching is not None:
            raise ValueError("equals and matching are each a flag: give one")
        if self.before_first is not None and (self.equals is not None or self.matching is not None):
            raise ValueError("before_first is a number, equals and matching make a flag")
        return self


class Intervals(Origin):
    """A table of intervals that becomes a flag of `daily`: true on the days of an interval, false on all others.

    Attributes
    ----------
    into : the flag, ``is_st`` or ``is_suspended``
    symbol, start, end : columns of the file or the query, both days included. Without an end, or where it is missing,
        an interval lasts until the day before the next row of its symbol, whatever that row says
    value, matching : only rows whose `value` matches the regular expression `matching`; it is searched for in the text
        as it is and with full-width letters and signs made half-width (``＊ＳＴ`` as ``*ST``). The other rows still end
        the intervals before them
    where : only rows whose columns have these values
    drop : rows that are left out, counted
    date_format : of dates that are text or whole numbers
    """

    into: str
    symbol: str = "symbol"
    start: str = "start_date"
    end: str | None = None
    value: str | None = None
    matching: Matching | None = None
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    drop: tuple[Drop, ...] = ()
    date_format: DateFormat = "%Y-%m-%d"

    @model_validator(mode="after")
    def _says_when_it_ends(self) -> Intervals:
        if (self.value is None) != (self.matching is None):
            raise ValueError("value and matching belong together: the column, and what its text must match")
        if self.end is None and self.value is None:
            raise ValueError("give the column of the end, or value and matching: an interval must end somewhere")
        return self


class Joined(Origin):
    """Columns of `daily` from further files with a row a stock and day; nothing is carried forward.

    Attributes
    ----------
    columns : as of a table; of a column that is known already only what is missing is filled
    symbol, date : columns of the file or the query
    where : only rows whose columns have these values
    drop : rows that are left out, counted
    date_format : of dates that are text or whole numbers
    """

    symbol: str = "symbol"
    date: str = "date"
    columns: Columns
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    drop: tuple[Drop, ...] = ()
    date_format: DateFormat = "%Y-%m-%d"


class Halts(Origin):
    """A table of stocks and days without trading, of a vendor whose bars have no rows then: such rows are made.

    They have no prices, a volume and amount of 0, and `is_suspended`; where there is a bar it stands.

    Attributes
    ----------
    symbol, date : columns of the file or the query
    where : only rows whose columns have these values
    drop : rows that are left out, counted
    date_format : of dates that are text or whole numbers
    """

    symbol: str = "symbol"
    date: str = "date"
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    drop: tuple[Drop, ...] = ()
    date_format: DateFormat = "%Y-%m-%d"


class FundamentalSteps(Origin):
    """An item of `fundamentals` from a step table: a row each time the publicly known value changed.

    Attributes
    ----------
    item : ours, such as ``net_profit_ttm``
    reports : each step is a report, whose quarter is told from its day (for flows and balance sheets); false for what
        changes on any day, such as a number of shares
    null_is_loss : a missing value means "a loss"; the item ``<item>_loss`` is 1 there and 0 elsewhere
    end : last day that the vendor knows of; after it the value is missing, not the last one for ever
    symbol, date, value : columns of the file or the query
    where : only rows whose columns have these values
    lag_days : trading days after its date from which a value may be used
    multiply, divide : to our unit
    date_format : of dates that are text or whole numbers
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
    lag_days: int = Field(default=1, ge=0, le=2500)
    date_format: DateFormat = "%Y-%m-%d"


class Statements(Origin):
    """Items of `fundamentals` from a file or a query with a row a report; a restatement is a row of its own.

    Attributes
    ----------
    symbol : column of codes
    period : column of the period's end
    announced : column of the day of publication; without it, or where it is missing, the statutory deadline
    where : only rows whose columns have these values
    date_format : of dates that are text or whole numbers
    items : item (ours, such as ``net_profit_ytd``) = column, or a `Column` with its unit
    lag_days : trading days after the announcement
    """

    symbol: str = "symbol"
    period: str
    announced: str | None = None
    items: Columns
    where: dict[str, str | float | bool] = Field(default_factory=dict)
    lag_days: int = Field(default=1, ge=0, le=2500)
    date_format: DateFormat = "%Y-%m-%d"


class Fundamentals(Spec):
    """What the table `fundamentals` is made of.

    Attributes
    ----------
    steps : step tables, a row each time the publicly known value changed
    statements : a row a report
    """

    steps: tuple[FundamentalSteps, ...] = ()
    statements: tuple[Statements, ...] = ()

    def parts(self) -> list[tuple[str, FundamentalSteps | Statements]]:
        """Everything that it reads, each with its key in the mapping."""
        return [
            *((f"fundamentals.steps.{number}", steps) for number, steps in enumerate(self.steps)),
            *((f"fundamentals.statements.{number}", one) for number, one in enumerate(self.statements)),
        ]


class LevelChange(Spec):
    """A jump of the vendor's level without a cause, which is taken out.

    Attributes
    ----------
    column : which
    symbol : the code, in our form
    date : the day of the jump
    """

    column: Literal["adj_factor"] = "adj_factor"
    symbol: str
    date: datetime.date
