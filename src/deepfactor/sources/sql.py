"""Source `sql`: a query a table, from a DuckDB file (the default) or any database that SQLAlchemy reaches.

The mapping is the one of source `tables` (see `_mapping`) with `query` in the place of `file`. A query may name
``:start`` and ``:end``, so that the database hands over the days that are wanted and no more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from deepfactor.core.errors import DataError
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.sources._convert import where_holds
from deepfactor.sources._databases import Database, open_database
from deepfactor.sources._extract import Among, Extract
from deepfactor.sources._mapped import MappedTables
from deepfactor.sources._mapping import Mapping
from deepfactor.sources._mapping_columns import Origin
from deepfactor.sources._reader import Values


class Settings(Mapping):
    """Where the database is, and a query a table."""

    ORIGIN: ClassVar[Literal["file", "query"]] = "query"

    url: str = Field(
        default="duckdb:///market.duckdb",
        description="duckdb:///FILE, or any SQLAlchemy URL; ${NAME} stands for a variable of the environment",
        exclude=True,  # it may hold a password: no dump, key or text has it
        repr=False,
    )


def open_source(settings: Settings, folder: Path | None, trust: Trust = SHIPPED) -> MappedTables:
    """The source over the database; `folder` is where a database's file lies.

    Each query must be one SELECT that reads its database alone; where it is trusted it may be anything, anywhere.

    Raises
    ------
    UserError
        a package is missing, the URL is wrong, or there is no such file.
    """
    return MappedTables(settings, Queries(open_database(settings.url, folder, trust)))


class Queries:
    """Reads a mapping's queries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(
        self,
        origin: Origin,
        columns: Sequence[str],
        where: Values,
        label: str,
        among: Among | None = None,
        numbers: Collection[str] = (),
    ) -> Extract:
        """Rows of a query's result; see `Reader`."""
        span = next((wanted for wanted in (among or {}).values() if isinstance(wanted, tuple)), (None, None))
        frame = self._database.rows(origin.of_kind("query"), label, *span)
        for column in [*columns, *where]:
            if column not in frame.columns:
                there = ", ".join(frame.columns)
                raise DataError(f"is not there; the query gives {there}", table=label, column=column)
        extract = where_holds(Extract(label, frame.select(list(dict.fromkeys([*columns, *where])))), where)
        for column, wanted in (among or {}).items():
            if not isinstance(wanted, tuple):
                extract = extract.keep(extract[column].cast(pl.String).is_in(list(wanted)))
        return extract

    def distinct(self, origin: Origin, column: str, where: Values, label: str) -> Extract:
        """Distinct values of a query's column, for which it is asked over all days; see `Reader`."""
        extract = self.read(origin, [column], where, label)
        return Extract(label, extract.frame.select(column).unique(maintain_order=True).drop_nulls())

    def content(self, origin: Origin) -> str | None:
        """Of a query nothing is known before it is run; see `Reader`."""
        return None

    def notes(self) -> list[str]:
        """Nothing; see `Reader.notes`."""
        return []
