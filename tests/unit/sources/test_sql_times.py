"""Times of databases: with a zone they are days in Shanghai, in the result and in the query; without one their date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import polars as pl
import pytest

from deepfactor.core.errors import DataError
from support.postgres import PASSWORD, Postgres, programs, running
from support.sources import open_kind

DAYS = [date(2020, 1, 2), date(2020, 1, 3), None]
#: The same two days, as a database may hold them.
HELD = (
    ("TIMESTAMPTZ", "2020-01-01 16:00:00+00", "2020-01-03 00:00:00+08"),
    ("TIMESTAMPTZ", "2020-01-02 15:00:00+08", "2020-01-03 15:59:59+00"),
    ("TIMESTAMP", "2020-01-02 00:00:00", "2020-01-03 23:59:59"),
    ("DATE", "2020-01-02", "2020-01-03"),
    ("VARCHAR(40)", "2020-01-01T16:00:00Z", "2020-01-02T16:00:00Z"),
    ("INTEGER", "20200102", "20200103"),
)
COLUMNS = {"date": "day", "symbol": "code", **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), "n")}


def rows(kind: str, values: tuple[str, ...]) -> str:
    """A query of two days and a missing one, of their `kind`."""
    held = " UNION ALL ".join(
        f"SELECT {k} AS k, CAST({'NULL' if value is None else repr(value)} AS {kind}) AS day"
        for k, value in enumerate([*values, None])
    )
    return f"SELECT day, '600000.SH' AS code, 1.0 AS n FROM ({held}) AS held ORDER BY k"


def days(url: str, folder: Path | None, query: str) -> list[date | None]:
    tables: dict[str, Any] = {"daily": {"query": query, "columns": COLUMNS}}
    choice = {"kind": "sql", "name": "mine", "url": url, "tables": tables}
    return open_kind(choice, folder).fetch("daily", None, None)["date"].to_list()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    duckdb.connect(str(tmp_path / "m.duckdb")).close()
    return tmp_path


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql (apt-get install postgresql): its times are NOT TESTED")
    with running(found) as server:
        yield server


@pytest.mark.parametrize(("kind", "first", "second"), HELD)
def test_duckdb(folder: Path, kind: str, first: str, second: str) -> None:
    assert days("duckdb:///m.duckdb", folder, rows(kind, (first, second))) == DAYS


@pytest.mark.parametrize(("kind", "first", "second"), HELD)
def test_postgres(server: Postgres, kind: str, first: str, second: str) -> None:
    assert days(server.url(quote(PASSWORD, safe="")), None, rows(kind, (first, second))) == DAYS


@pytest.mark.parametrize("kind", ["TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"])
def test_other_units_of_duckdb(folder: Path, kind: str) -> None:
    assert days("duckdb:///m.duckdb", folder, rows(kind, ("2020-01-02 15:00:00", "2020-01-03"))) == DAYS


CAST = "SELECT CAST(t AS DATE) AS day, '600000.SH' AS code, 1.0 AS n FROM (SELECT CAST('{}' AS TIMESTAMPTZ) AS t) AS x"


@pytest.mark.parametrize("bound", ["", " WHERE t >= :start"])
def test_a_cast_in_the_query_gives_the_day_in_shanghai(folder: Path, server: Postgres, bound: str) -> None:
    query = CAST.format("2020-01-01 16:00:00+00") + bound
    for url, place in (("duckdb:///m.duckdb", folder), (server.url(quote(PASSWORD, safe="")), None)):
        assert days(url, place, query) == [date(2020, 1, 2)]
        tables = {"daily": {"query": query, "columns": COLUMNS}}
        source = open_kind({"kind": "sql", "name": "mine", "url": url, "tables": tables}, place)
        assert source.fetch("daily", date(2020, 1, 2), None).height == 1


def test_values_of_other_types_are_named(folder: Path) -> None:
    for value, said in (("TIME '10:00'", "is no date"), ("INTERVAL 1 DAY", "holds durations"), ("[1]", "is no date")):
        with pytest.raises(DataError, match=f"table daily.*column day: .*{said}"):
            days("duckdb:///m.duckdb", folder, f"SELECT {value} AS day, '600000.SH' AS code, 1.0 AS n")


def test_an_enum_of_duckdb_may_lack_values(folder: Path) -> None:
    query = "SELECT DATE '2020-01-02' AS day, CAST(c AS ENUM ('600000.SH')) AS code, 1.0 AS n FROM (VALUES {}) AS x(c)"
    assert days("duckdb:///m.duckdb", folder, query.format("('600000.SH')")) == [date(2020, 1, 2)]
    tables = {"daily": {"query": query.format("('600000.SH'), (NULL)"), "columns": COLUMNS}}
    choice = {"kind": "sql", "name": "mine", "url": "duckdb:///m.duckdb", "drop_unknown": True, "tables": tables}
    source = open_kind(choice, folder)
    assert source.fetch("daily", None, None)["symbol"].cast(pl.String).to_list() == ["600000.SH"]
    assert source.describe()["dropped"] == {"daily: rows without a code in code": 1}
