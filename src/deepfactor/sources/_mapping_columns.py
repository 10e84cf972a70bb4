"""Where a mapping's rows come from, and how one of their columns becomes ours."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from deepfactor.core.spec import Spec
from deepfactor.sources._formula import Formula, looks_like_one, parsed
from deepfactor.sources._patterns import Patterns, places_in
from deepfactor.sources._regex import Grouping, Matching, Searching, groups_of


def _names_parts(value: str) -> str:
    if "%" not in value:
        raise ValueError("names no part of a date: write it like %Y-%m-%d")
    return value


#: How days are written, as text or whole numbers.
DateFormat = Annotated[str, AfterValidator(_names_parts)]


class Pattern(Spec):
    """A vendor's form of a code and ours.

    Attributes
    ----------
    pattern : a regular expression over the whole code
    to : our form, groups as ``$1``
    """

    pattern: Matching
    to: str

    @model_validator(mode="after")
    def _has_the_groups(self) -> Pattern:
        groups_of(self.pattern, self.to)
        return self

    def apply(self, code: str) -> str | None:
        """Our form of `code`; None where the pattern doesn't match."""
        match = re.fullmatch(self.pattern, code)
        return re.sub(r"\$(\d+)", lambda group: match[int(group[1])] or "", self.to) if match else None


class Column(Spec):
    """Where one of our columns comes from: a column of theirs (`from`), or a `formula` over several.

    Attributes
    ----------
    from : column of the file or the query
    formula : arithmetic over columns instead, ``close * volume / (turn / 100)``, see `deepfactor.sources._formula`;
        missing where one of them is, or something is divided by 0. A date counts as 20200102. A comparison makes a flag
    multiply, divide : to our unit (CNY, shares, fractions); `divide` by a power of ten is exact where multiplying by
        its inverse isn't
    part : of text, what the first group of this regular expression finds; no match = missing
    missing : texts that stand for a missing value, as ``2200-01-01`` for a day to come
    names : renames values (vendor's = ours); a value that it lacks is an error
    equals : makes a flag: "the value is this"
    matching : makes a flag: "the text matches this regular expression", see `Intervals`
    """

    source: str = Field(default="", alias="from")
    formula: Formula | None = None
    multiply: float | None = Field(default=None, gt=0)
    divide: float | None = Field(default=None, gt=0)
    part: Grouping | None = None
    missing: tuple[str, ...] = ()
    names: dict[str, str] | None = None
    equals: float | str | None = None
    matching: Matching | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns (theirs) that it is made of."""
        return (self.source,) if self.formula is None else parsed(self.formula).columns

    @model_validator(mode="after")
    def _one_way(self) -> Column:
        ways = [name for name in ("names", "equals", "matching") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} are each a way to read a column: give one")
        if bool(self.source) == (self.formula is not None):
            raise ValueError("give either from, a column, or formula, arithmetic over columns")
        if self.formula is not None and (ways or self.part is not None or self.missing):
            raise ValueError("a formula stands by itself, without part, missing, names, equals and matching")
        return self


def _short_form(value: object) -> object:
    """``close = "c"`` for ``close = { from = "c" }``, and ``"c * 2"`` for a formula."""
    if not isinstance(value, dict):
        return value
    return {name: _column_of(column) if isinstance(column, str) else column for name, column in value.items()}


def _column_of(text: str) -> dict[str, str]:
    return {"formula" if looks_like_one(text) else "from": text}


def one_or_several(value: object) -> object:
    """A table for a list of one table, a text for a list of one text."""
    return (value,) if isinstance(value, dict | str) else value


#: Our column = theirs (its name, or a `Column`).
Columns = Annotated[dict[str, Column], BeforeValidator(_short_form)]


class Origin(Spec):
    """Where rows come from: `file` or `files`, relative to the folder; or `query`, SQL.

    Parquet, Feather, text (CSV and its kin, also gzipped; UTF-8, UTF-16 or GBK) and spreadsheets (.xlsx, .xls) are
    read; what a file is, its content says.

    Attributes
    ----------
    file : a file
    files : patterns of files that are read one after the other, as one table: ``daily/*.csv``; ``bars/{code}.csv``
        makes what stands in the place of braces a column ``code``
    query : a query, of kind ``sql``
    optional : where there is no such file the part of the mapping is left out, and said
    may_lack : columns that a file may lack: missing there
    aliases : column = other names that it may have in a file; the first that is there counts
    order_by : columns by which rows are ordered first, as text; where two rows say different things of one day the
        later one may count
    must_be : column = the value that it must have on every row, or the file is refused
    sheet : of a spreadsheet; by default the first
    skip_rows : lines or rows above the head, of text and spreadsheets
    wide : the column of days of a wide table, in which every other column is a security: it is read as a long one with
        columns ``code`` and ``value``
    """

    file: str | None = None
    files: Annotated[Patterns, BeforeValidator(one_or_several)] | None = None
    query: str | None = None
    optional: bool = False
    may_lack: tuple[str, ...] = ()
    aliases: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    order_by: tuple[str, ...] = ()
    must_be: dict[str, str | float | bool] = Field(default_factory=dict)
    sheet: str | None = None
    skip_rows: int = Field(default=0, ge=0, le=1000)
    wide: str | None = None

    @property
    def as_it_is(self) -> bool:
        """Whether files are read without further ado."""
        said = (self.may_lack, self.aliases, self.order_by, self.must_be, self.sheet, self.skip_rows, self.wide)
        return not any(said)

    def of_kind(self, kind: Literal["file", "query"]) -> str:
        """The file or the query; the mapping has made sure that it is there."""
        origin = self.file if kind == "file" else self.query
        assert origin is not None
        return origin

    @property
    def named(self) -> str | None:
        """The file or its patterns, as messages call it."""
        return ", ".join(self.files) if self.files else self.file

    @property
    def places(self) -> list[str]:
        """Columns that are read off the files' names."""
        return places_in(self.files[0]) if self.files else []


class Drop(Spec):
    """Rows that are dropped and counted.

    Attributes
    ----------
    column : theirs, as text
    matching : rows that match this regular expression are dropped
    why : stands beside their count
    """

    column: str
    matching: Searching
    why: str
