"""Source `sql`: queries of a DuckDB file, of SQLite and of a real PostgreSQL server; and every way to get it wrong."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepfactor.core.errors import DataError, RecipeError, UserError
from deepfactor.sources._databases import open_database
from deepfactor.sources.base import Source, fetch_all
from deepfactor.store.folder import write_market
from support.market_tables import market_tables
from support.postgres import PASSWORD, Postgres, programs, running
from support.sources import open_kind

BARS = """
CREATE TABLE bars AS SELECT * FROM (VALUES
    ('SZ000001', 20200102, 10, 11, 9, 10.5, 100, 102),
    ('SZ000001', 20200103, 10.5, 11, 10, 10.6, 200, 210),
    ('SZ000001', 20200106, 10.6, 11, 10, 10.7, NULL, NULL),
    ('SH600000', 20200102, 5, 5.5, 4.5, 5.1, 300, 150)
) AS t(code, day, o, h, l, c, lots, kcny)
"""
COLUMNS = {
    "date": "day",
    "symbol": "code",
    "open": "o",
    "high": "h",
    "low": "l",
    "close": "c",
    "volume": {"from": "lots", "multiply": 100},
    "amount": {"from": "kcny", "multiply": 1000},
}
SYMBOLS = [{"pattern": r"(SH|SZ)(\d{6})", "to": "$2.$1"}]


def choice(query: str = "SELECT * FROM bars", **more: Any) -> dict[str, Any]:
    daily = {"query": query, "columns": COLUMNS, "date_format": "%Y%m%d", **more.pop("daily", {})}
    return {"kind": "sql", "name": "mine", "symbols": SYMBOLS, "tables": {"daily": daily}, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with duckdb.connect(str(tmp_path / "market.duckdb")) as connection:
        connection.execute(BARS)
    return tmp_path


def daily(folder: Path, *arguments: Any, **more: Any) -> pl.DataFrame:
    return open_kind(choice(*arguments, **more), folder).fetch("daily", None, None)


def test_codes_dates_units_and_missing_values(folder):
    frame = daily(folder)
    assert frame["symbol"].cast(pl.String).to_list() == ["000001.SZ"] * 3 + ["600000.SH"]
    assert frame["date"].to_list()[:2] == [date(2020, 1, 2), date(2020, 1, 3)]
    assert frame["volume"].to_list() == [10000, 20000, None, 30000]
    assert frame["amount"].to_list() == [102000, 210000, None, 150000]
    assert frame["close"].to_list() == [10.5, 10.6, 10.7, 5.1]


def test_the_database_hands_over_only_the_days_that_are_asked_for(folder):
    query = "SELECT * FROM bars WHERE strptime(day::VARCHAR, '%Y%m%d')::DATE BETWEEN :start AND :end AND '09:30' <> ''"
    database = open_database("duckdb:///market.duckdb", folder)
    assert database.rows(query, "daily", date(2020, 1, 3), date(2020, 1, 5)).height == 1
    assert database.rows(query, "daily", None, date(2020, 1, 3)).height == 3
    assert database.rows(query, "daily", None, None).height == 4
    whole = open_kind(choice(), folder).fetch("daily", date(2020, 1, 3), None)
    part = open_kind(choice(query), folder).fetch("daily", date(2020, 1, 3), None)
    assert_frame_equal(
        part.with_columns(pl.col(pl.Enum).cast(pl.String)), whole.with_columns(pl.col(pl.Enum).cast(pl.String))
    )


def test_days_from_one_on_get_the_steps_of_all(folder):
    """The lag is counted in trading days, of which the query for some days holds only those."""
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        connection.execute("CREATE TABLE s AS SELECT 'SZ000001' AS symbol, DATE '2020-01-02' AS date, 7 AS n")
    steps = [{"into": "float_mv", "query": "SELECT * FROM s", "value": "n", "times": "close", "lag_days": 2}]
    query = "SELECT * FROM bars WHERE strptime(day::VARCHAR, '%Y%m%d')::DATE BETWEEN :start AND :end"
    source = open_kind(choice(query, daily={"steps": steps}), folder)
    assert source.fetch("daily", date(2020, 1, 6), None)["float_mv"].to_list() == [7 * 10.7]
    assert source.fetch("daily", date(2020, 1, 3), None)["float_mv"].to_list() == [None, 7 * 10.7]


def test_steps_are_queries_too(folder):
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        connection.execute("CREATE TABLE s AS SELECT 'SZ000001' AS symbol, DATE '2020-01-03' AS date, 7 AS n")
    steps = [{"into": "float_mv", "query": "SELECT * FROM s", "value": "n", "times": "close", "lag_days": 0}]
    frame = daily(folder, daily={"steps": steps})
    assert frame["float_mv"].to_list() == [None, 7 * 10.6, 7 * 10.7, None]
    steps[0]["query"] = "SELECT * FROM s WHERE n > 9"
    with pytest.raises(DataError, match=r"table daily.steps.0: no rows"):
        daily(folder, daily={"steps": steps})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM nothing", r"table daily: the query fails in market.duckdb: .*nothing"),
        ("SELEKT 1", r"table daily: the query fails in market.duckdb: .*syntax"),
        ("SELECT code, day, code FROM bars", r"table daily: the query gives two columns of one name: code, day, code"),
        ("DROP TABLE bars", r"table daily: the query must be one SELECT .*, given DROP: .* --allow-code"),
        ("SELECT code, day FROM bars", r"table daily, column o: is not there; the query gives code, day"),
        (
            "SELECT * REPLACE (CASE WHEN day > 20200102 THEN 'cheap' ELSE '10' END AS c) FROM bars",
            r"table daily, row 2, column c: 'cheap' is no Float64",
        ),
        ("SELECT * REPLACE (1 AS day) FROM bars", r"table daily, row 1, column day: '1' is no date of the form %Y%m%d"),
    ],
)
def test_a_bad_query_names_table_row_and_column(folder, query, message):
    with pytest.raises(DataError, match=message):
        daily(folder, query)


def test_nothing_is_changed_in_the_database(folder):
    with pytest.raises(DataError):
        daily(folder, "DELETE FROM bars")
    assert daily(folder).height == 4


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"url": "market.duckdb"}, r"url: is no URL of a database, such as postgresql\+psycopg://"),
        ({"url": "duckdb:///${NO_SUCH}"}, r"url: names the environment variable NO_SUCH, which is not set"),
        (
            {"daily": {"file": "bars.csv"}},
            r"tables.daily.query: give a query and nothing else \(file and query given\)",
        ),
        ({"daily": {"query": None}}, r"tables.daily.query: give a query and nothing else \(none given\)"),
        ({"ulr": "sqlite://"}, r"ulr: unknown key: did you mean url"),
    ],
)
def test_wrong_settings_name_the_key(folder, more, message):
    with pytest.raises(RecipeError, match=message):
        daily(folder, **more)


def test_a_file_that_is_no_database(folder):
    (folder / "other.duckdb").write_text("not a database")
    with pytest.raises(DataError, match=r"table daily: the query fails in other.duckdb"):
        daily(folder, url="duckdb:///other.duckdb")
    with pytest.raises(DataError, match=r"gone.duckdb: there is no such DuckDB file: give its folder with --folder"):
        daily(folder, url="duckdb:///gone.duckdb")


@pytest.mark.parametrize(
    ("package", "url"),
    [("duckdb", "duckdb:///market.duckdb"), ("sqlalchemy", "sqlite://"), ("psycopg", "postgresql+psycopg://a@b/c")],
)
def test_a_missing_package_names_the_extra(folder, monkeypatch, package, url):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs the package {package}: .* pip install 'deepfactor\[sql\]'"):
        daily(folder, url=url)


def sqlite(folder: Path, *rows: tuple[object, ...]) -> str:
    with sqlite3.connect(folder / "market.sqlite") as connection:
        connection.execute("CREATE TABLE bars (code, day, o, h, l, c, lots, kcny)")
        connection.executemany("INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{folder / 'market.sqlite'}"


def test_any_database_of_sqlalchemy(folder):
    """SQLite keeps numbers of a column as whole or not as they come: one column of ours all the same."""
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        rows = connection.execute("SELECT code, day, o::DOUBLE, h::DOUBLE, l::DOUBLE, c::DOUBLE, lots, kcny FROM bars")
        rows = [[int(v) if isinstance(v, float) and v == int(v) else v for v in row] for row in rows.fetchall()]
    assert {type(row[2]) for row in rows} == {int, float}
    url = sqlite(folder, *rows)
    assert_frame_equal(daily(folder, url=url), daily(folder))
    none = open_kind(choice(url=url), folder).fetch("daily", date(2021, 1, 1), None)
    assert none.height == 0
    assert daily(folder, "SELECT * FROM bars WHERE day > 20210101", url=url).height == 0


def test_a_column_of_mixed_values(folder):
    url = sqlite(folder, ("SZ000001", 20200102, 10, 11, 9, 10, 1, 1), ("SZ000001", 20200103, 10, "high", 9, 10, 1, 1))
    with pytest.raises(DataError, match=r"table daily, row 2, column h: 'high' is no Float64"):
        daily(folder, url=url)
    with pytest.raises(DataError, match=r"table daily: the query fails on sqlite .*market.sqlite: no such table: nope"):
        daily(folder, "SELECT * FROM nope", url=url)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip(
            "no PostgreSQL in /usr/lib/postgresql (apt-get install postgresql): source sql is NOT TESTED on one"
        )
    with running(bin_folder) as server:
        fill(server, market_tables())
        yield server


def fill(server: Postgres, tables: dict[str, pl.DataFrame]) -> None:
    """The tables as a database administrator would type them: exact prices, dates, flags."""
    import psycopg

    types = {pl.Date: "date", pl.String: "text", pl.Boolean: "boolean", pl.Float64: "double precision"}
    connect = psycopg.connect(host="127.0.0.1", port=server.port, user="reader", password=PASSWORD, dbname="postgres")
    with connect as connection, connection.cursor() as cursor:
        for name, frame in tables.items():
            made = {c: "numeric" if c in ("open", "close") else types[type(t)] for c, t in frame.schema.items()}
            columns = ", ".join(f'"{column}" {kind}' for column, kind in made.items())
            cursor.execute(f"CREATE TABLE {name} ({columns})")
            with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                for row in frame.rows():
                    copy.write_row(row)


def on_server(server: Postgres, **more: Any) -> Source:
    tables = {
        name: {"query": f"SELECT * FROM {name}", "columns": {column: column for column in frame.columns}}
        for name, frame in market_tables().items()
    }
    tables["daily"]["query"] += " WHERE date BETWEEN :start AND :end::date ORDER BY symbol, date"
    url = server.url("${DEEPFACTOR_TEST_PASSWORD}")
    return open_kind({"kind": "sql", "name": "mine", "url": url, "tables": tables, **more}, None)


@pytest.fixture
def password(monkeypatch) -> None:
    monkeypatch.setenv("DEEPFACTOR_TEST_PASSWORD", PASSWORD)


def test_a_market_on_postgres_comes_as_it_was_written(server, password, tmp_path):
    source = on_server(server)
    made = {n: f.with_columns(pl.col(pl.Enum).cast(pl.String)) for n, f in fetch_all(source)}
    for name, frame in market_tables().items():
        expected = frame.sort("symbol", "date") if name == "daily" else frame
        assert_frame_equal(made[name], expected, check_exact=True)
    stored = write_market(tmp_path / "server", made, source=source.describe())
    assert PASSWORD not in json.dumps(dict(stored.manifest.source))
    assert stored.read("daily").height == market_tables()["daily"].height


def test_the_whole_url_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("DEEPFACTOR_TEST_URL", server.url(quote(PASSWORD, safe="")))
    assert on_server(server, url="${DEEPFACTOR_TEST_URL}").fetch("calendar", None, None).height > 60


def test_days_on_postgres(server, password):
    days = market_tables()["daily"]["date"].unique().sort()
    part = on_server(server).fetch("daily", days[5], days[9])
    assert part["date"].unique().sort().to_list() == days[5:10].to_list()


def test_no_password_is_said_or_kept(server, monkeypatch, tmp_path):
    """Neither in what describes the source nor in what goes wrong."""
    monkeypatch.setenv("DEEPFACTOR_TEST_PASSWORD", "wr0ng-one")
    source = on_server(server)
    with pytest.raises(DataError, match=r"table daily: the query fails on postgresql 127.0.0.1/postgres: ") as error:
        source.fetch("daily", None, None)
    assert "wr0ng-one" not in str(error.value)
    assert "wr0ng-one" not in json.dumps(source.describe())
    for url in ("postgresql://a:wr0ng-one@b:port/c", "nosuch://a:wr0ng-one@b/c", "postgres:wr0ng-one"):
        with pytest.raises(UserError) as error:
            on_server(server, url=url)
        assert "wr0ng-one" not in str(error.value)
    misspelt = {"kind": "sql", "name": "mine", "ulr": "postgresql://a:wr0ng-one@b/c", "tables": {}}
    with pytest.raises(RecipeError, match=r"ulr: .*postgresql://a:\*\*\*@b/c") as error:
        open_kind(misspelt, None)
    assert "wr0ng-one" not in str(error.value)


def test_the_key_of_the_mapping_does_not_hang_on_the_password(server, password):
    one = on_server(server).describe()
    other = on_server(server, url="postgresql+psycopg://someone:else@127.0.0.1/postgres").describe()
    assert one == other
