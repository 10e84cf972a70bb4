"""A mapping from someone else: it reads the folder that the user named and nothing else, and leaves nothing behind."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

from deepfactor.core.errors import DataError, RecipeError
from deepfactor.core.trust import SHIPPED, Trust
from deepfactor.sources._databases import open_database
from deepfactor.sources._places import inside
from deepfactor.sources._statements import require_one_select
from support.bars import DAILY, bars, write
from support.cli import deepfactor, refused
from support.postgres import PASSWORD, programs, running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A vendor's folder, with bars in it and a copy of them beside it."""
    folder = tmp_path / "vendor"
    write(folder, bars(n=30))
    (tmp_path / "bars.parquet").write_bytes((folder / "bars.parquet").read_bytes())
    (folder / "link.parquet").symlink_to(tmp_path / "bars.parquet")
    (folder / "deep").symlink_to(tmp_path)
    return folder


@pytest.mark.parametrize("name", ["../bars.parquet", "{above}/bars.parquet", "link.parquet", "deep/bars.parquet"])
def test_files_outside_the_folder_are_read_for_a_trusted_mapping_alone(folder, tmp_path, name):
    name = name.format(above=tmp_path)
    mapping = folder / "mapping.toml"
    mapping.write_text(DAILY.replace("bars.parquet", name), encoding="utf-8")
    ingest = ("ingest", mapping, tmp_path / "market", "--folder", folder)
    refused(deepfactor(*ingest), "tables.daily.file", repr(name), "leads out of the folder", "--allow-code")
    assert not (tmp_path / "market").exists()
    assert deepfactor(*ingest, "--allow-code").code == 0


@pytest.mark.parametrize("name", ["C:\\bars.parquet", "C:bars.parquet", "\\\\host\\share\\bars.parquet", "\\bars"])
def test_a_drive_is_outside_whatever_the_system(folder, name):
    with pytest.raises(RecipeError, match=r"k: .* leads out of the folder"):
        inside(folder, name, key="k", trust=SHIPPED)


@pytest.mark.parametrize("name", ["bars\\u0000.parquet", "loop/bars.parquet"])
def test_what_names_no_file(folder, tmp_path, name):
    (folder / "loop").symlink_to(folder / "loop")
    mapping = folder / "mapping.toml"
    mapping.write_text(DAILY.replace("bars.parquet", name), encoding="utf-8")
    refused(deepfactor("ingest", mapping, tmp_path / "market", "--folder", folder), "bars")


@pytest.mark.parametrize("name", ["bars.parquet", "sub/../bars.parquet", "{here}/bars.parquet"])
def test_names_inside_are_as_good_as_ever(folder, name):
    name = name.format(here=folder)
    assert inside(folder, name, key="k", trust=SHIPPED).resolve() == (folder / "bars.parquet").resolve()


def test_qlib_reads_no_list_or_field_of_another_folder(folder, tmp_path):
    toml = tmp_path / "dump.toml"
    for setting in ('indices = { "../../members" = "000300.SH" }', 'columns = { close = "../close" }'):
        toml.write_text(f'kind = "qlib"\n{setting}\n', encoding="utf-8")
        refused(deepfactor("ingest", toml, tmp_path / "market", "--folder", folder), "leads to another folder")


def sql(folder: Path, query: str, **more: Any) -> Path:
    """A TOML of source `sql` beside the folder, its one query `query`."""
    columns = DAILY.split("[tables.daily.columns]")[1]
    head = "".join(f'{name} = "{value}"\n' for name, value in {"kind": "sql", "name": "mine", **more}.items())
    file = folder.parent / "sql.toml"
    file.write_text(f"{head}[tables.daily]\nquery = '''{query}'''\n[tables.daily.columns]{columns}", encoding="utf-8")
    return file


@pytest.fixture
def duck(folder: Path) -> Path:
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        connection.execute(f"CREATE TABLE bars AS SELECT * FROM '{folder / 'bars.parquet'}' ORDER BY symbol, date")
        connection.execute(f"CREATE VIEW beside AS SELECT * FROM '{folder / 'bars.parquet'}' ORDER BY symbol, date")
    return folder


def test_a_duckdb_query_reads_its_file_alone(duck, tmp_path):
    ingest = ("ingest", sql(duck, "SELECT * FROM beside"), tmp_path / "market", "--folder", duck)
    refused(deepfactor(*ingest), "table daily", "a query reads its database alone", "--allow-code")
    assert not (tmp_path / "market").exists()
    assert deepfactor(*ingest, "--allow-code").code == 0
    sql(duck, "WITH b AS (SELECT * FROM bars) SELECT * FROM b;")
    assert deepfactor("ingest", sql(duck, "FROM bars"), tmp_path / "other", "--folder", duck).code == 0


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM '/etc/hostname'",
        "SELECT content FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "INSTALL httpfs",
        "LOAD icu",
        "ATTACH 'other.duckdb' AS other",
        "COPY bars TO 'stolen.csv'",
        "SET lock_configuration = false",
        "SELECT 1; SELECT 2",
        "SET enable_external_access = true; SELECT * FROM '/etc/hostname'",
        "CREATE TEMP TABLE t AS SELECT 1",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "",
    ],
)
def test_a_duckdb_query_can_do_nothing_else(duck, query):
    with pytest.raises(DataError, match=r"table daily: the query (must be one SELECT|fails in market.duckdb)"):
        open_database("duckdb:///market.duckdb", duck).rows(query, "daily", None, None)


@pytest.fixture
def lite(folder: Path) -> Path:
    with sqlite3.connect(folder / "market.sqlite") as connection:
        connection.execute("CREATE TABLE bars (a)")
        connection.execute("INSERT INTO bars VALUES (1)")
    connection.close()
    return folder


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH 'other.sqlite' AS other",
        "SELECT load_extension('x.so')",
        "SELECT * FROM pragma_database_list",
        "WITH b AS (SELECT 1) INSERT INTO bars SELECT * FROM b",
        "SELECT 1; DELETE FROM bars",
        "DELETE FROM bars",
    ],
)
def test_an_sqlite_query_reads_and_does_nothing_else(lite, query):
    database = open_database("sqlite:///market.sqlite", lite)
    with pytest.raises(DataError, match=r"table daily: the query (must be one SELECT|fails on sqlite)"):
        database.rows(query, "daily", None, None)
    assert database.rows("SELECT a, abs(a) AS b FROM bars", "daily", None, None).rows() == [(1, 1)]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("duckdb:///../market.duckdb", "leads out of the folder"),
        ("duckdb:////etc/hostname", "leads out of the folder"),
        ("duckdb:///gone.duckdb", "there is no such DuckDB file"),
        ("sqlite:///../market.sqlite", "leads out of the folder"),
        ("sqlite:///gone.sqlite", "there is no such SQLite file"),
        ("sqlite://", "an SQLite file is named sqlite:///FILE"),
        ("sqlite:///file:market.sqlite?mode=rwc&uri=true", "an SQLite file is named sqlite:///FILE"),
        ("sqlite+aiosqlite:///market.sqlite", "an SQLite file is named sqlite:///FILE"),
    ],
)
def test_a_failed_ingest_leaves_neither_market_nor_database(folder, tmp_path, url, message):
    before = sorted(os.listdir(folder))
    result = deepfactor("ingest", sql(folder, "SELECT 1", url=url), tmp_path / "a" / "market", "--folder", folder)
    refused(result, message)
    assert sorted(os.listdir(folder)) == before
    assert not (tmp_path / "a").exists()


def test_a_failed_ingest_leaves_what_was_in_the_folder(folder, tmp_path):
    market = tmp_path / "market"
    (market / ".git").mkdir(parents=True)
    (folder / "bars.parquet").unlink()
    write(folder, bars(n=30).with_columns(high=0.5))
    result = deepfactor("ingest", folder / "mapping.toml", market, "--folder", folder)
    assert result.code == 2
    assert "high is below low" in result.err
    assert os.listdir(market) == [".git"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "select 1;\n",
        "  -- the bars, all of them\nSELECT 1",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "SELECT split_part(name, ';', 1), \"odd;name\" FROM names",
        "VALUES (1)",
    ],
)
def test_one_statement_that_reads(query):
    require_one_select(query, "daily")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "DELETE FROM bars",
        "COPY bars TO PROGRAM 'sh'",
        "SELECT 1; SELECT 2",
        "-- the bars; all of them\nSELECT 1",
        "SELECT 'a'; DROP TABLE bars; --'",
        "SELECT 'it\\'s'; DROP TABLE bars; -- '",
        "SELECT 1 --1 '\n, '; DROP TABLE bars; --'",
        "-- it's\nSELECT 1; DROP TABLE bars; -- '",
        "SELECT $$a$$; DROP TABLE bars",
        "SELECT 1 /*! ; DROP TABLE bars */",
        "/* a /* b */ DROP TABLE bars; */ SELECT 1",
        "BEGIN; SELECT 1",
    ],
)
def test_what_may_be_more_than_one_statement_is_refused(query):
    with pytest.raises(DataError, match="table daily: the query must be one SELECT"):
        require_one_select(query, "daily")


@pytest.mark.slow
def test_postgres_runs_it_in_a_transaction_that_reads(monkeypatch):
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql (apt-get install postgresql): NOT TESTED on one")
    import psycopg

    monkeypatch.setenv("DEEPFACTOR_TEST_PASSWORD", PASSWORD)
    with running(bin_folder) as server:
        plain = {"host": "127.0.0.1", "port": server.port, "user": "reader", "password": PASSWORD, "dbname": "postgres"}
        with psycopg.connect(**plain) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS i")
            connection.execute("CREATE SEQUENCE s")
        url = server.url("${DEEPFACTOR_TEST_PASSWORD}")
        closed, trusted = (open_database(url, None, Trust(trust)) for trust in (False, True))
        with pytest.raises(DataError, match=r"nextval\(\) in a read-only transaction"):
            closed.rows("SELECT nextval('s')", "daily", None, None)
        assert trusted.rows("SELECT nextval('s') AS n", "daily", None, None).rows() == [(1,)]
        for query in (
            "SELECT 1; COMMIT; DROP TABLE t",
            "SELECT set_config('transaction_read_only', 'off', true), nextval('s')",
            "WITH a AS (INSERT INTO t VALUES (2) RETURNING i) SELECT * FROM a",
            "SELECT i INTO u FROM t",
            "SELECT * FROM t FOR UPDATE",
        ):
            with pytest.raises(DataError, match="table daily: the query"):
                closed.rows(query, "daily", None, None)
        assert closed.rows("SELECT * FROM t", "daily", None, None).rows() == [(1,)]
