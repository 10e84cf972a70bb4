"""`deepfactor ingest` from every kind of source: what arrives, and what a wrong one leaves behind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from deepfactor.sources.base import fetch_all
from deepfactor.store.folder import MarketFolder
from support import sources
from support.cli import deepfactor
from support.market_tables import market_tables
from support.qlib_folder import field_file, write_qlib

OUTSIDE = """
import polars as pl
from datetime import date
from deepfactor.core.spec import Spec

class Settings(Spec):
    close: float

class Mine:
    name = "mine"
    def __init__(self, close): self.close = close
    def tables(self): return ("daily",)
    def fetch(self, table, start, end):
        day = {"date": [date(2020, 1, 2), date(2020, 1, 3)], "symbol": ["600000.SH"] * 2, "volume": [1e4] * 2}
        return pl.DataFrame(day | {name: [self.close] * 2 for name in ("open", "high", "low", "close", "vwap")})
    def describe(self):
        return {"name": "mine", "settings": {"close": self.close}, "cap": "float", "simulated": False, "derived": [],
                "dropped": {}, "notes": []}

def open_source(settings, folder, trust):
    return Mine(settings.close)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vendor").mkdir()
    return tmp_path / "vendor"


def toml(file: Path, choice: dict[str, Any]) -> Path:
    """`choice` as a TOML: of our settings, tables in tables in tables, and text."""
    file.write_text("\n".join([*_lines(choice, ""), ""]))
    return file


def _lines(content: dict[str, Any], path: str) -> list[str]:
    lines = [f'{key} = "{value}"' for key, value in content.items() if not isinstance(value, dict)]
    for key, value in content.items():
        if isinstance(value, dict):
            lines += [f"[{path}{key}]", *_lines(value, f"{path}{key}.")]
    return lines


def everything(market: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in market.rglob("*") if file.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["qlib", "sql", "tables"])
def test_a_toml_names_the_kind(kind, folder, tmp_path):
    choice = sources.EXAMPLES[kind](folder)
    if kind == "tables":
        source = folder / "mapping.toml"
        source.write_text('kind = "tables"\n' + source.read_text())
    else:
        source = toml(tmp_path / "source.toml", choice)
    market = tmp_path / "market"
    account = deepfactor("ingest", source, market, "--folder", folder, "--json").json()
    opened = dict(fetch_all(sources.open_kind(choice, folder)))
    assert account["days"] == opened["daily"]["date"].n_unique()
    assert account["stocks"] == opened["daily"]["symbol"].n_unique()
    stored = MarketFolder.open(market).read("daily")
    assert stored["close"].sum() == pytest.approx(opened["daily"]["close"].sum(), rel=1e-12)
    before = everything(market)
    assert deepfactor("ingest", source, market, "--folder", folder).code == 0
    assert everything(market) == before


@pytest.mark.slow
def test_a_kind_that_needs_no_settings_is_named_alone(folder, tmp_path):
    sources.EXAMPLES["qlib"](folder)
    account = deepfactor("ingest", "qlib", tmp_path / "market", "--folder", folder, "--json").json()
    assert account["source"] == "qlib"
    assert any("divided by factor" in note for note in account["notes"])


def test_a_source_from_outside_wants_to_be_allowed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "mine.py").write_text(OUTSIDE)
    source = tmp_path / "source.toml"
    source.write_text('kind = "lab:mine"\nclose = 10.0\n')
    refused = deepfactor("ingest", source, tmp_path / "market")
    assert refused.code == 2
    assert "--allow-code" in refused.err
    account = deepfactor("ingest", source, tmp_path / "market", "--allow-code", "--json").json()
    assert (account["source"], account["days"], account["stocks"]) == ("mine", 2, 1)


def test_sources_that_are_none(tmp_path):
    def refused(content: bytes, *words: str) -> None:
        (tmp_path / "source.toml").write_bytes(content)
        ended = deepfactor("ingest", tmp_path / "source.toml", tmp_path / "market", "--folder", tmp_path)
        assert ended.code == 2, ended
        for word in ("source.toml", *words):
            assert word in ended.err

    refused(b'kind = "wind"\n', "kind", "no kind 'wind'", "qlib, simulated, sql, tables")
    refused(b"kind = 3\n", "kind", "3 is no name of a kind")
    refused(b'kind = "simulated"\n', "deepfactor simulate")
    refused(b'kind = "qlib"\nends = "maybe"\n', "ends", "maybe")
    refused(b'kind = "qlib"\ncolumns = { close = { from = "c", names = { a = "b" } } }\n', "close", "holds numbers")
    refused(b'kind = "qlib"\ncolumns = { price = "c" }\n', "price is no column of daily")
    refused(b'kind = "sql"\nname = "x"\n', "tables", "Field required")
    refused(b"\xff\xfe", "is not UTF-8")
    refused(b"kind = \n", "can't be read as TOML")
    assert not (tmp_path / "market" / "manifest.json").exists()


@pytest.mark.slow
def test_a_folder_that_went_wrong_leaves_the_market_as_it_was(folder, tmp_path):
    sources.EXAMPLES["qlib"](folder)
    market = tmp_path / "market"
    assert deepfactor("ingest", "qlib", market, "--folder", folder).code == 0
    before = everything(market)
    symbol = MarketFolder.open(market).read("daily")["symbol"][0]
    high = field_file(folder, symbol, "high")
    content = np.fromfile(high, "<f4")
    spoilt = content.copy()
    spoilt[-5] /= 2  # among the days that are asked for again
    spoilt.tofile(high)
    wrong = deepfactor("ingest", "qlib", market, "--folder", folder)
    assert wrong.code == 2
    for word in ("table daily", "column high", "high is below low", symbol):
        assert word in wrong.err
    content[1:].tofile(high)
    wrong = deepfactor("ingest", "qlib", market, "--folder", folder)
    assert wrong.code == 2
    assert str(high) in wrong.err
    assert everything(market) == before


@pytest.mark.slow
def test_a_database_that_went_wrong_leaves_the_market_as_it_was(folder, tmp_path):
    source = toml(tmp_path / "source.toml", sources.EXAMPLES["sql"](folder))
    market = tmp_path / "market"
    assert deepfactor("ingest", source, market, "--folder", folder).code == 0
    before = everything(market)
    symbol = market_tables()["daily"]["symbol"][0]
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        connection.execute("UPDATE daily SET close = -1 WHERE symbol = ? AND volume > 0", [symbol])
    wrong = deepfactor("ingest", source, market, "--folder", folder)
    assert wrong.code == 2
    for word in ("table daily", "column close", "must be positive", symbol):
        assert word in wrong.err
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        connection.execute("DROP TABLE industry")
    wrong = deepfactor("ingest", source, market, "--folder", folder)
    assert wrong.code == 2
    assert "table industry: the query fails in market.duckdb" in wrong.err
    assert everything(market) == before


@pytest.mark.slow
def test_a_day_more_in_the_database_is_a_day_more_in_the_market(folder, tmp_path):
    choice = sources.EXAMPLES["sql"](folder)
    choice["tables"]["daily"]["query"] += " WHERE date BETWEEN :start AND :end"
    source = toml(tmp_path / "source.toml", choice)
    last = market_tables()["daily"]["date"].max()
    days = [name for name, frame in market_tables().items() if "date" in frame.columns and name != "calendar"]
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        for name in days:
            connection.execute(f"CREATE TABLE all_{name} AS SELECT * FROM {name}")
            connection.execute(f"DELETE FROM {name} WHERE date >= ?", [last])
    assert deepfactor("ingest", source, tmp_path / "grown", "--folder", folder).code == 0
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        for name in days:
            connection.execute(f"INSERT INTO {name} SELECT * FROM all_{name} WHERE date >= ?", [last])
    assert deepfactor("ingest", source, tmp_path / "grown", "--folder", folder).code == 0
    assert deepfactor("ingest", source, tmp_path / "whole", "--folder", folder).code == 0
    grown, whole = MarketFolder.open(tmp_path / "grown"), MarketFolder.open(tmp_path / "whole")
    assert len(grown.manifest.source["appended"]) == 1
    assert grown.fingerprint == whole.fingerprint


@pytest.mark.slow
def test_a_day_more_in_a_qlib_folder_is_a_day_more_in_the_market(tmp_path):
    tables = market_tables()
    last = tables["daily"]["date"].max()
    for name, until in (("short", last - timedelta(days=1)), ("long", last)):
        days = {n: f.filter(pl.col("date") <= until) for n, f in tables.items() if n in ("daily", "index_daily")}
        write_qlib(tmp_path / name, {**tables, **days})
    assert deepfactor("ingest", "qlib", tmp_path / "grown", "--folder", tmp_path / "short").code == 0
    assert deepfactor("ingest", "qlib", tmp_path / "grown", "--folder", tmp_path / "long").code == 0
    assert deepfactor("ingest", "qlib", tmp_path / "whole", "--folder", tmp_path / "long").code == 0
    grown, whole = MarketFolder.open(tmp_path / "grown"), MarketFolder.open(tmp_path / "whole")
    assert len(grown.manifest.source["appended"]) == 1
    assert grown.fingerprint == whole.fingerprint


def test_a_source_from_outside_with_another_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from deepfactor.core.spec import Spec\n\n\nclass Settings(Spec):\n    pass\n\n\n"
    code += "def open_source(settings, folder):\n    return None\n"
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "old.py").write_text(code, encoding="utf-8")
    source = tmp_path / "old.toml"
    source.write_text('kind = "labs.old"\n', encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    ended = deepfactor("ingest", source, tmp_path / "market", "--allow-code")
    assert ended.code == 2
    assert "open_source takes (settings, folder, trust)" in ended.err
