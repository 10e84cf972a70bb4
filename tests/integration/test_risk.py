"""`deepfactor risk` on a simulated market: made, shown in both languages, not made again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.core.checksums import unsealed
from deepfactor.panel.build import open_panel
from deepfactor.risk.files import NAME
from support.cli import deepfactor, refused, strict_json

HAN = re.compile("[一-鿿]")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("risk") / "market"
    made = deepfactor("simulate", path, "--stocks", 200, "--start", "2019-01-02", "--end", "2019-12-31")
    assert made.code == 0, made.err
    return path


def test_it_is_made_and_shown(market: Path) -> None:
    record = deepfactor("risk", market, "--styles", "study_a", "--json").json()
    assert record["days"] > 240
    assert record["first"] < "2019-06"
    assert 0.1 < record["explained"] < 0.9
    assert record["specific_5"] < record["specific_50"] < record["specific_95"] < 2.0
    factors = {one["name"]: one for one in record["factors"]}
    assert {"market", "SIZE", "LIQUIDITY"} <= factors.keys()
    assert factors["market"]["part"] == "market"
    assert 0.1 < factors["market"]["volatility"] < 0.6
    assert all(0.4 < one["bias"] < 2.5 for one in record["factors"])
    written = unsealed(strict_json((Path(record["folder"]) / NAME).read_text(encoding="utf-8")))
    assert written["rows"] == record["days"]

    english, chinese = (deepfactor("risk", market, "--styles", "study_a", "--language", x) for x in ("en", "zh"))
    assert "volatility a year" in english.out
    assert not HAN.search(english.out)
    for line in chinese.out.splitlines():
        assert HAN.search(line) or "industry" in line or re.search(r"\d%", line), line
    assert "市值" in chinese.out
    again = deepfactor("risk", market, "--styles", "study_a", "--json").json()
    assert again == record


def test_an_unknown_style_set_is_refused(market: Path) -> None:
    refused(deepfactor("risk", market, "--styles", "barra"), "barra_cne5")


def test_a_market_that_is_too_short_has_no_forecast(tmp_path: Path) -> None:
    path = tmp_path / "short"
    assert deepfactor("simulate", path, "--stocks", 60, "--start", "2019-01-02", "--end", "2019-03-01").code == 0
    ended = deepfactor("risk", path, "--styles", "basic")
    assert ended.code == 0, ended.err
    assert "too short" in ended.out
    record = deepfactor("risk", path, "--styles", "basic", "--json").json()
    assert record["first"] is None
    assert record["factors"] == []
    assert np.isfinite(record["days"])


@pytest.fixture(scope="module")
def factor(market: Path) -> Path:
    """Scores by chance of the last two months."""
    panel, _ = open_panel(market)
    rng, days = np.random.default_rng(0), panel.dates[-42:]
    date = np.repeat(days, len(panel.symbols))
    table = {"date": date, "symbol": np.tile(panel.symbols, len(days)), "score": rng.standard_normal(len(date))}
    path = market.parent / "factor.parquet"
    pl.DataFrame(table).write_parquet(path)
    return path


def test_a_portfolio_keeps_its_tracking_error(market: Path, factor: Path, tmp_path: Path) -> None:
    words = ("--market", market, "--index", "000905.SH", "--json")
    what_if = ("--what-if", "max_tracking_error=0.9", "--what-if", "tracking_error=off")
    made = deepfactor("enhance", factor, *words, "--out", tmp_path, "--constraints", "study_b_te", *what_if).json()
    base, wide, off = (one["same_books"] for one in made["what_if"])
    assert wide["objective"] == off["objective"] >= base["objective"]
    assert "tracking_error" not in off["binding"]
    place = next(tmp_path.rglob("constraints.json"))
    kept = strict_json(place.read_text(encoding="utf-8"))
    risk = strict_json(place.with_name("risk.json").read_text(encoding="utf-8"))
    assert risk["model"] == "barra_cne5"
    assert len(risk["contributors"]) == 10
    rows = pl.read_parquet(place.with_name("risk.parquet"))
    assert rows["tracking_error"].mean() == pytest.approx(risk["all"]["tracking_error"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Active risk" in page
    assert "传导系数" in page
    assert {"kind": "tracking_error", "limit": 0.05} in kept["constraints"]


def test_an_aversion_of_a_file_of_ones_own(market: Path, factor: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('styles = { kind = "study_a" }\nrisk_aversion = 5.0\n[[constraints]]\nkind = "turnover"\n')
    words = ("--market", market, "--index", "000905.SH", "--json")
    ended = deepfactor("enhance", factor, *words, "--out", tmp_path / "out", "--constraints", own)
    assert ended.code == 0, ended.err
    assert "risk model of study_a" in ended.err


def test_an_evening_keeps_it_too(market: Path, factor: Path, tmp_path: Path) -> None:
    words = ("--market", market, "--index", "000905.SH", "--cash", 1e8, "--out", tmp_path, "--json")
    record = deepfactor("rebalance", factor, *words, "--constraints", "study_b_te").json()
    sheet = pl.read_csv(Path(record["folder"]) / "constraints.csv").filter(pl.col("constraint") == "tracking_error")
    assert sheet["upper"].to_list() == [0.05]
    target = sheet["target"][0]
    risks = pl.read_csv(Path(record["folder"]) / "risk.csv")
    assert risks.filter(pl.col("kind") == "tracking_error")["target"][0] == pytest.approx(target)
    assert risks.filter(pl.col("kind") == "name").height == 10
    relaxed = {one["constraint"] for one in record["relaxations"]}
    assert target <= 0.05 + 1e-8 or "tracking_error" in relaxed
