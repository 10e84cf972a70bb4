"""`enhance --placebo`: the band on the page and in JSON, made once, gone on with, the same over workers, and honest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfactor.backtest.placebo import band, random_scores, who_is_scored
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.backtests import follow, followed
from deepfactor.pipeline.markets import StyleSets, open_market
from deepfactor.pipeline.placebo import ground_of
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.runs.factors import write_scores
from support.cli import deepfactor

INDEX = "000905.SH"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Path:
    folder = tmp_path_factory.mktemp("placebo")
    shutil.copytree(small_market, folder / "market", ignore=shutil.ignore_patterns("placebo", "trials.jsonl"))
    panel = open_market(folder / "market").panel
    values = np.random.default_rng(7).standard_normal(panel.shape)
    write_scores(folder / "factor.parquet", Scores("factor", panel.dates, panel.symbols, values))
    return folder


def enhanced(home: Path, name: str, *more: object) -> dict[str, Any]:
    asked = ("enhance", home / "factor.parquet", "--market", home / "market", "--index", INDEX, "--out", home / name)
    return deepfactor(*asked, "--start", "2020-10-01", "--json", *more).json()


def logs(home: Path) -> list[Path]:
    return sorted((home / "market" / "placebo").rglob("*.jsonl"))


@pytest.mark.slow
def test_a_band_is_made_once_and_gone_on_with(home: Path) -> None:
    first = enhanced(home, "first", "--placebo", 4, "--workers", 0)["placebo"]
    (log,) = logs(home)
    whole = log.read_bytes()
    assert len(whole.splitlines()) == 4
    assert enhanced(home, "again", "--placebo", 4, "--workers", 0)["placebo"] == first
    assert log.read_bytes() == whole
    log.write_bytes(whole[: len(whole) // 2])  # killed at a write
    assert enhanced(home, "resumed", "--placebo", 4, "--workers", 0)["placebo"] == first
    log.unlink()
    more = enhanced(home, "more", "--placebo", 5, "--workers", 2)["placebo"]
    assert more["drawn"][:4] == first["drawn"]
    assert more["persistence"] == first["persistence"] == 0.0
    summary = json.loads(next((home / "more").rglob("summary.json")).read_text())
    assert more["excess"]["own"] == summary["all"]["excess"]
    again = band(summary["all"]["excess"], [one["excess"] for one in more["drawn"]])
    assert more["excess"] == again
    assert json.loads(next((home / "more").rglob("placebo.json")).read_text()) == more


def test_none_where_none_is_asked_for(home: Path) -> None:
    made = enhanced(home, "none", "--placebo", 0)
    assert "placebo" not in made
    assert not list((home / "none").rglob("placebo.json"))


@pytest.mark.slow
def test_bands_cover_random_factors_in_nine_of_ten(home: Path) -> None:
    """A hundred further random scores against the band of twenty; every one of them is a factor without knowledge."""
    market = open_market(home / "market")
    portfolio = Portfolio(index=INDEX, constraints="study_b")
    styles = StyleSets(market).of(load_constraints(portfolio).styles).exposures
    rows = np.searchsorted(market.panel.dates, np.array(["2020-07-01", "2020-12-30"], "datetime64[D]"))
    signals = rows[0] + np.flatnonzero(market.universe.week_ends()[rows[0] : rows[1]])
    summary = {"start": str(market.panel.dates[signals[0]]), "end": str(market.panel.dates[rows[1] - 1])}
    eligible = market.universe.eligible(UniverseRule())
    ground = ground_of(market, styles, portfolio, eligible, summary, None)  # type: ignore[arg-type]
    mask = who_is_scored(np.zeros(eligible.shape), ground.buyable, signals)
    found = [followed(follow(ground, random_scores(mask, signals, 0.7, k)), ground.preset) for k in range(120)]
    for key in ("excess", "excess_gross"):
        drawn = [one[key] for one in found]
        bounds = band(None, drawn[:20])
        assert sum(bounds["low"] <= one <= bounds["high"] for one in drawn[20:]) >= 90
