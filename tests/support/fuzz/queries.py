"""Databases, by ``ingest``: queries that do more than read, or less; URLs of nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from support.bars import COLUMNS, bars
from support.cli import Ended, deepfactor
from support.fuzz import Case, Content, changed, dotted, leaves, without, written

QUERY = "SELECT * FROM bars WHERE date BETWEEN :start AND :end"
BASE: Content = {
    "kind": "sql",
    "name": "mine",
    "url": "duckdb:///market.duckdb",
    "tables": {"daily": {"query": QUERY, "columns": {column: column for column in COLUMNS}}},
}
AT = ("tables", "daily", "query")
#: A line each.
BAD = """SELECT
SELEC * FROM bars
SELECT * FROM
SELECT * FROM nothing
bars
SELECT nothing FROM bars
SELECT * FROM bars WHERE
SELECT * FROM bars; SELECT 1
{query}; DROP TABLE bars
DROP TABLE bars
DELETE FROM bars
UPDATE bars SET close = 1
INSERT INTO bars SELECT * FROM bars
CREATE TABLE x AS SELECT 1
CREATE VIEW x AS SELECT 1
ALTER TABLE bars ADD COLUMN x INT
VACUUM
CHECKPOINT
INSTALL httpfs
LOAD httpfs
SET enable_external_access = true
PRAGMA database_list
CALL pragma_version()
COPY bars TO '{folder}/x.csv'
ATTACH '{folder}/y.db'
EXPORT DATABASE 'z'
USE memory
SELECT * FROM '{folder}/secret.csv'
SELECT * FROM read_csv('{folder}/secret.csv')
SELECT * FROM read_text('{folder}/secret.csv')
SELECT * FROM glob('{folder}/*')
SELECT * FROM read_text('/etc/passwd')
SELECT getenv('HOME')
SELECT * FROM empty
SELECT 1 AS one
SELECT date, symbol FROM bars
SELECT *, date FROM bars
SELECT * FROM bars UNION ALL SELECT * FROM bars
SELECT * REPLACE ('high' AS close) FROM bars
SELECT * REPLACE ([close] AS close) FROM bars
SELECT * REPLACE (NULL AS symbol) FROM bars
SELECT * REPLACE (-close AS close) FROM bars
SELECT * REPLACE ('AAPL' AS symbol) FROM bars
SELECT * REPLACE (date + INTERVAL 2 DAY AS date) FROM bars
SELECT * REPLACE ('soon' AS date) FROM bars
SELECT * REPLACE (error('no') AS close) FROM bars
SELECT * FROM bars WHERE date > :begin
SELECT * FROM bars WHERE date > $1
SELECT * FROM bars WHERE date > ?
/*! DROP TABLE bars */ SELECT 1
WITH x AS (DELETE FROM bars RETURNING *) SELECT * FROM x"""
GOOD = """SELECT * FROM bars
SELECT * FROM bars ORDER BY random()
({query})
{query};
WITH x AS (SELECT * FROM bars) SELECT * FROM x
FROM bars SELECT *
SELECT *, 'a;b' AS remark FROM bars
TABLE bars"""
URLS = """duckdb
duckdb:
duckdb://market.duckdb
duckdb:///gone.duckdb
duckdb:///
duckdb:///..
///
duckdb:////etc/passwd
duckdb:///secret.csv
duckdb:///market.duckdb?x=1
duckdb:///:memory:
duckdb:///${NOT_SET_ANYWHERE}
nothing://x
http://example.invalid/
mysql://u:p@localhost/x
oracle://x
postgresql+psycopg://u:secret@127.0.0.1:1/x?connect_timeout=1
sqlite:///../x.db"""


@dataclass(frozen=True)
class Ground:
    """A folder with a database of bars, which no query may change."""

    folder: Path
    clean: Mapping[str, Any]

    @staticmethod
    def make(folder: Path) -> Ground:
        bars(n=60).write_parquet(folder / "bars.parquet")
        with duckdb.connect(str(folder / "market.duckdb")) as connection:
            connection.execute(f"CREATE TABLE bars AS SELECT * FROM '{folder / 'bars.parquet'}'")
            connection.execute("CREATE TABLE empty AS SELECT * FROM bars LIMIT 0")
        (folder / "secret.csv").write_text("date,symbol\n2020-01-02,600001.SH\n")
        (folder / "clean.toml").write_text(written(BASE))
        made = deepfactor("ingest", folder / "clean.toml", folder.parent / "C", "--folder", folder, "--json")
        return Ground(folder, made.json())

    def case(self, family: str, name: str, content: Content, *, same: bool = False) -> Case:
        """A source's TOML; `same`: it gives the clean market."""

        def run(folder: Path) -> Ended:
            (folder / "source.toml").write_text(written(content), encoding="utf-8")
            before = self._state()
            ended = deepfactor("ingest", folder / "source.toml", folder / "M", "--folder", self.folder, "--json")
            assert self._state() == before, "the vendor's folder is another"
            assert ended.code == 0 or not (folder / "M").exists(), "half a market is left"
            return ended

        def as_clean(folder: Path, ended: Ended) -> bool:
            return all(ended.json()[key] == self.clean[key] for key in ("days", "stocks", "span"))

        return Case(family, name, run, as_clean if same else None)

    def _state(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.folder.iterdir()}


def statements(ground: Ground) -> Iterator[Case]:
    """What is no SELECT, or more than one, or gives no market; and SELECTs in other words."""
    for query in ("", " ", ";", "\u0000", "--", *BAD.format(query=QUERY, folder=ground.folder).splitlines()):
        yield ground.case("statements", query, changed(BASE, AT, query))
    for query in (*GOOD.format(query=QUERY).splitlines(), f"-- all\n{QUERY}"):
        yield ground.case("statements", query, changed(BASE, AT, query), same=True)


def places(ground: Ground) -> Iterator[Case]:
    """URLs of nothing, of elsewhere, of what isn't known; variables that aren't set."""
    for url in ("", "duckdb:///a\x00b", "duckdb:///" + "x" * 300, *URLS.splitlines()):
        yield ground.case("places", url[:60], changed(BASE, ("url",), url))
    for value in (3, True, [], {}):
        yield ground.case("places", f"url = {value}", changed(BASE, ("url",), value))


def keys(ground: Ground) -> Iterator[Case]:
    """Keys of files, keys that are missing, values of another type."""
    for path in (("name",), ("tables",), ("tables", "daily"), AT, ("tables", "daily", "columns")):
        yield ground.case("keys", f"without {dotted(path)}", without(BASE, path))
    for key in ("file", "querry", "sql", "table"):
        yield ground.case("keys", f"tables.daily.{key}", changed(BASE, ("tables", "daily", key), "bars.parquet"))
    bads: tuple[Any, ...] = (3, [1], {"x": 1}, True)
    for path, _ in leaves(BASE):
        if path not in (("kind",), ("url",)):
            for bad in bads:
                yield ground.case("keys", f"{dotted(path)} = {bad}", changed(BASE, path, bad))
    for kind in ("sqll", "SQL", "", "tables", "qlib"):
        yield ground.case("keys", f"kind = {kind}", changed(BASE, ("kind",), kind))


FAMILIES = (statements, places, keys)
