"""Rows of a query as a table, from a DuckDB file or through SQLAlchemy. Both are imported when first needed.

Passwords stand in the URL or the environment, and in nothing that is printed, stored or hashed.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np
import polars as pl

from deepfactor.core.arrays import AnyArray
from deepfactor.core.errors import DataError, RecipeError, UserError
from deepfactor.core.optional import optional_package
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.sources._files import first_line
from deepfactor.sources._places import inside
from deepfactor.sources._statements import refusal, require_one_select
from deepfactor.store.dates import ZONE

_DUCKDB = "duckdb:///"
#: Days as parameters of a query; a cast (``::date``) and a time (``'09:30'``) are none.
_PARAMETER = re.compile(r"(?<![:\w\\]):(start|end)\b")
_ROWS = 50_000
#: What a driver's values may be and stay as they are.
_PLAIN = {str, int, float, bool, date, datetime}
#: A DuckDB connection that reads its own file alone.
_LOCKED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}
_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


class Database(Protocol):
    """Something that answers queries."""

    def rows(self, query: str, label: str, start: date | None, end: date | None) -> pl.DataFrame:
        """The query's result, with ``:start`` and ``:end`` bound where it names them (open = the first, the last day).

        Raises
        ------
        DataError
            the database doesn't answer, or not with rows; `label` is the table for which it was asked.
        """


def open_database(url: str, folder: Path | None, trust: Trust = SHIPPED) -> Database:
    """The database at `url`, in which ``${NAME}`` stands for a variable of the environment.

    The file of a DuckDB or SQLite database lies in `folder` (None = where the program runs).

    A query is one SELECT, runs read-only where the database knows that, and in DuckDB and SQLite reads nothing beside
    the database's own file: no other file or database, no extension, no setting. None of that where it is trusted.

    Raises
    ------
    UserError
        a package is missing; the message names the extra.
    RecipeError
        no URL, an unknown variable, or a file outside `folder`.
    DataError
        no such file.
    """
    url = _from_environment(url)
    if url.startswith(_DUCKDB):
        return DuckDb(_file_of(url.removeprefix(_DUCKDB), "DuckDB", folder, trust), trust)
    return Server(url, folder, trust)


def _file_of(name: str, kind: str, folder: Path | None, trust: Trust) -> Path:
    """The file of a database, which must be there: asked for another, SQLite and DuckDB would make one."""
    file = inside(folder or Path(), name, key="url", trust=trust)
    if not file.is_file():
        raise DataError(f"there is no such {kind} file: give its folder with --folder, or mend url", file=file)
    return file


class DuckDb:
    """A DuckDB file, opened for reading for each query."""

    def __init__(self, file: Path, trust: Trust) -> None:
        self._duckdb = optional_package("duckdb", _missing("duckdb"))
        self._file = file
        self._settings = {} if trust.outside else _LOCKED

    def rows(self, query: str, label: str, start: date | None, end: date | None) -> pl.DataFrame:
        """The query's result, handed over column by column as numpy arrays."""
        try:
            with self._duckdb.connect(str(self._file), read_only=True, config=self._settings) as connection:
                connection.execute(f"SET TimeZone = '{ZONE}'")  # of casts and comparisons in the query
                text = _PARAMETER.sub(r"$\1", query)
                if self._settings:
                    connection.execute("SET lock_configuration = true")
                    self._require_one_select(connection.extract_statements(text), label)
                result = connection.execute(text, _bound(query, start, end))
                columns = [(column[0], str(column[1])) for column in result.description or ()]
                _require_names([name for name, _ in columns], label)
                arrays = result.fetchnumpy()
        except self._duckdb.Error as error:
            closed = isinstance(error, self._duckdb.PermissionException) and bool(self._settings)
            hint = "; a query reads its database alone (--allow-code lets it read anywhere)" if closed else ""
            raise DataError(f"the query fails in {self._file.name}: {first_line(error)}{hint}", table=label) from None
        return pl.DataFrame([_from_numpy(name, arrays[name], kind) for name, kind in columns])

    def _require_one_select(self, statements: Sequence[Any], label: str) -> None:
        kinds = [statement.type for statement in statements]
        if kinds != [self._duckdb.StatementType.SELECT]:
            raise refusal(" and ".join(kind.name for kind in kinds) or "nothing", label)


class Server:
    """Any database that SQLAlchemy has a driver for, asked anew for each query."""

    def __init__(self, url: str, folder: Path | None, trust: Trust) -> None:
        self._sqlalchemy = optional_package("sqlalchemy", _missing("sqlalchemy"))
        self._trust = trust
        try:
            self._url = self._sqlalchemy.make_url(url)
            self._backend = self._url.get_backend_name()
            more: dict[str, Callable[[], sqlite3.Connection]] = {}
            if self._backend == "sqlite":
                file = self._sqlite_file(folder)
                more["creator"] = lambda: sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
            elif self._backend == "duckdb":
                raise RecipeError(f"a DuckDB file is named {_DUCKDB}FILE", key="url")
            self._engine = self._sqlalchemy.create_engine(self._url, poolclass=self._sqlalchemy.NullPool, **more)
        except ModuleNotFoundError as error:
            raise _missing(str(error.name)) from None
        except (self._sqlalchemy.exc.SQLAlchemyError, ValueError):
            message = "is no URL of a database, such as postgresql+psycopg://reader:${DB_PASSWORD}@host/market"
            raise RecipeError(message, key="url") from None  # the error's own text may hold the password

    def rows(self, query: str, label: str, start: date | None, end: date | None) -> pl.DataFrame:
        """The query's result, fetched in blocks."""
        errors = self._sqlalchemy.exc.SQLAlchemyError
        if not self._trust.outside:
            require_one_select(query, label)
        try:
            with self._engine.connect() as connection:
                connection.execution_options(**self._closed())
                if self._backend == "postgresql":  # of casts and comparisons in the query
                    connection.execute(self._sqlalchemy.text(f"SET TIME ZONE '{ZONE}'"))
                streamed = connection.execution_options(stream_results=True, yield_per=_ROWS)
                if self._backend == "sqlite" and not self._trust.outside:
                    connection.connection.driver_connection.set_authorizer(_only_reads)
                text = self._sqlalchemy.text(_PARAMETER.sub(r":\1 ", query))  # SQLAlchemy overlooks ``:start::date``
                result = streamed.execute(text, _bound(query, start, end))
                names = list(result.keys()) if result.returns_rows else []
                _require_names(names, label)
                blocks = [_frame(names, block) for block in result.partitions(_ROWS)]
        except errors as error:
            cause = first_line(getattr(error, "orig", None) or error)
            raise DataError(
                f"the query fails on {self._place()}: {self._without_password(cause)}", table=label
            ) from None
        return pl.concat(blocks, how="vertical_relaxed") if blocks else _frame(names, [])

    def _place(self) -> str:
        """The database without who asks and how."""
        return f"{self._url.get_backend_name()} {self._url.host or ''}/{self._url.database or ''}".replace(" /", " ")

    def _closed(self) -> dict[str, bool]:
        """Options of a connection that may only read, where the database knows such."""
        return {"postgresql_readonly": True} if self._backend == "postgresql" and not self._trust.outside else {}

    def _sqlite_file(self, folder: Path | None) -> Path:
        """The file of an SQLite URL."""
        if self._url.drivername not in ("sqlite", "sqlite+pysqlite") or self._url.query or not self._url.database:
            raise RecipeError("an SQLite file is named sqlite:///FILE, without driver and options", key="url")
        return _file_of(self._url.database, "SQLite", folder, self._trust)

    def _without_password(self, text: str) -> str:
        password = self._url.password or ""
        for form in {password, quote(password, safe=""), quote(password)} - {""}:
            text = text.replace(form, "***")
        return text


def _only_reads(action: int, *_: object) -> int:
    """SQLite's question of a statement under way: may it do that?"""
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY


def _require_names(names: Sequence[str], label: str) -> None:
    if not names:
        raise DataError("the query gives no rows: wanted a SELECT", table=label)
    if len(set(names)) < len(names):
        raise DataError(f"the query gives two columns of one name: {', '.join(names)}", table=label)


def _from_numpy(name: str, array: AnyArray, kind: str) -> pl.Series:
    """A column as DuckDB gives it, masked where null (an enum: NaN); `kind` is its type there."""
    values, missing = np.ma.getdata(array), np.ma.getmaskarray(array)
    if values.dtype == object:
        return _column(name, [None if gone or v != v else v for v, gone in zip(values, missing, strict=True)])
    if values.dtype.kind == "M" and values.dtype != "datetime64[ns]":
        values = values.astype("datetime64[us]")
    series = pl.Series(name, values)
    if kind == "TIMESTAMP WITH TIME ZONE":  # handed over in UTC, without a word
        series = series.dt.replace_time_zone("UTC")
    return series.zip_with(pl.Series(~missing), pl.Series([None], dtype=series.dtype)) if missing.any() else series


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """Rows as columns, each of one type."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pl.DataFrame([_column(name, values) for name, values in zip(names, columns, strict=True)])


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    """A driver's Python values as a series: numbers of several kinds as float64, anything else mixed as text.

    Text is turned into what is wanted later, where a value that doesn't fit is named with its row.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {Decimal} or (len(kinds) > 1 and kinds <= {int, float, Decimal}):
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    zones = {value.tzinfo is not None for value in values if isinstance(value, datetime)}
    if len(kinds) > 1 or len(zones) > 1 or kinds - _PLAIN:
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    if zones == {True}:  # an offset each
        values = [None if value is None else value.astimezone(UTC) for value in values]
    return pl.Series(name, values)


def _bound(query: str, start: date | None, end: date | None) -> Mapping[str, date]:
    days = {"start": start or date.min, "end": end or date.max}
    return {name: days[name] for name in set(_PARAMETER.findall(query))}


def _from_environment(url: str) -> str:
    """`url` with its variables filled in: one that is the whole URL as it stands, a part quoted as URLs want it."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise RecipeError(f"names the environment variable {name}, which is not set", key="url")
        whole = match[0] == url
        return os.environ[name] if whole else quote(os.environ[name], safe="")

    return re.sub(r"\$\{(\w+)\}", value, url)


def _missing(package: str) -> UserError:
    return UserError(
        f"source sql needs the package {package}: install deepfactor with its extra, pip install 'deepfactor[sql]'"
        " (a driver for other databases than DuckDB and PostgreSQL is yours to choose)"
    )
