"""`deepfactor check`: exit code, JSON, the page, on a sound market and on damaged ones."""

from __future__ import annotations

import polars as pl
import pytest

from deepfactor.store.folder import MarketFolder, write_market
from support.cli import deepfactor
from support.market_tables import market_tables


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "m"
    write_market(path, market_tables(seed=1, days=60), source={"name": "test", "simulated": False, "notes": ["a < b"]})
    return path


def test_a_sound_market(market, tmp_path):
    page = tmp_path / "audit.html"
    result = deepfactor("check", market, "--html", page, "--json").json()
    assert result["errors"] == 0
    assert result["years"] == [2020]
    assert {"close", "vwap", "industry", "price limit"} <= set(result["coverage"])
    assert {one["code"] for one in result["findings"]} >= {"no_prices"}
    assert "limit_up" in result["derived"]
    html = page.read_text(encoding="utf-8")
    for text in ("Data audit of", "no_prices", "Coverage", "Index replica", "Closes beyond", "a &lt; b", "no total_mv"):
        assert text in html
    assert "http:" not in html
    assert "https:" not in html
    for text in ("数据审计", "个代码没有日行情", "覆盖率", "超出涨跌停价的收盘价"):
        assert text in html
    lines = deepfactor("check", market)
    assert lines.code == 0
    assert "warning: no_prices in index_members" in lines.out


def test_a_damaged_market_ends_with_2_and_says_where(market, tmp_path):
    tables = {name: MarketFolder.open(market).read(name) for name in ("daily", "securities")}
    folder = write_market(tmp_path / "m", tables, source={"name": "test", "simulated": False})
    file, *_ = folder.part_files("daily")
    pl.read_parquet(file).head(20).write_parquet(file)
    result = deepfactor("check", tmp_path / "m", "--html", tmp_path / "audit.html")
    assert result.code == 2
    assert f"error: damaged in daily: {file.name} does not hold what was written" in result.out
    assert "damaged" in (tmp_path / "audit.html").read_text(encoding="utf-8")


def test_no_market(tmp_path):
    result = deepfactor("check", tmp_path / "nowhere")
    assert result.code == 2
    assert "is no market folder" in result.err
