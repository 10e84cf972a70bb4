"""`score`: a day's scores are those of the trained run, bit for bit, from a market that ends then."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.pipeline.markets import Market, open_market
from deepfactor.pipeline.scoring import score
from deepfactor.runs.layout import RunFolder
from support.cli import Ended, deepfactor, refused
from support.shared import made_once

pytestmark = pytest.mark.slow

#: An arm of every kind: windows under both kinds of scaling, company reports, a weighting alone and behind a network.
RECIPE = """
name = "evening"
title = "Scored by the day"
features = { kind = "price_volume", window = 30 }
universe = { window = 30, min_observed = 20 }
plan = { first_test = 2020-07-01, last_test = 2020-08-31, train_years = 1, every = 40, valid_every = 40 }
fit = { epochs = 1, seeds = [0, 1] }
portfolios = []

[test]
universes = ["all"]
conventions = ["t1_close"]
horizons = [5]
groups = {}
other_groups = 0
tops = []

[[arms]]
name = "gru"
model = { kind = "gru", hidden = 16 }

[[arms]]
name = "decomp"
model = { kind = "decomp_gru", hidden = 16, split = "before_scaling" }
scaling = "by_day"

[[arms]]
name = "ridge"
features = { kind = "hand_features" }
weighting = { kind = "ridge" }

[[combinations]]
name = "both"
of = ["gru", "ridge"]
standard = "rank"

[[combinations]]
name = "by_tops"
of = ["gru", "ridge"]
method = "top_weighted"

[[combinations]]
name = "by_rank_ic"
of = ["gru", "ridge"]
method = "ic_weighted"
window = 10
min_days = 5
"""
SEQUENCES = """
name = "evening_sequences"
title = "Scored by the day, from a running state"
features = { kind = "price_volume", window = 30 }
universe = { window = 30, min_observed = 20 }
plan = { first_test = 2020-07-01, last_test = 2020-08-31, train_years = 1, valid_every = 40 }
fit = { epochs = 1, seeds = [0], samples = "sequences", steps = 5, burn_in = 5, updates = 4 }
portfolios = []

[test]
universes = ["all"]
conventions = ["t1_close"]
horizons = [5]
groups = {}
other_groups = 0
tops = []

[inputs.day_features]
features = { kind = "alpha" }

[[arms]]
name = "decomp"
model = { kind = "decomp_gru", hidden = 16 }
scaling = "by_day"

[[arms]]
name = "fusion"
model = { kind = "late_fusion_gru", hidden = 16 }
scaling = "by_day"
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Path:
    def make(folder: Path) -> None:
        for text in (RECIPE, SEQUENCES):
            (folder / "recipe.toml").write_text(text)
            asked = ("run", folder / "recipe.toml", "--market", small_market, "--out", folder, "--workers", 0)
            assert deepfactor(*asked).code == 0

    made = made_once(tmp_path_factory, "evening", make)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("own") / "evening"))  # scores are written into it


@pytest.fixture(scope="module")
def market(small_market: Path) -> Market:
    return open_market(small_market)


def until(market: Market, day: str) -> Market:
    """The market as it was at that day's close, without the columns of stocks that weren't listed by then."""
    row = int(np.searchsorted(market.panel.dates, np.datetime64(day)))
    return replace(market, panel=market.panel.until(row), universe=market.universe.until(row))


@pytest.mark.parametrize(
    ("run", "arm"),
    [
        *(("evening", arm) for arm in ("gru", "decomp", "ridge")),
        *(("evening_sequences", arm) for arm in ("decomp", "fusion")),
    ],
)
def test_an_evenings_scores_are_the_runs_bit_for_bit(runs: Path, market: Market, run: str, arm: str) -> None:
    folder = RunFolder.open(runs / run)
    whole = pl.read_parquet(folder.scores(arm))
    for day in ("2020-07-01", "2020-07-02", "2020-08-14", "2020-08-31"):
        ((file, record),) = score(folder, until(market, day), arms=[arm])
        wanted = whole.filter(pl.col("date") == date.fromisoformat(day))
        assert wanted.height > 30
        assert pl.read_parquet(file).equals(wanted)
        assert record["stocks"] == wanted.height
        assert record["fold"] == "2020-07-01"
        assert record["age"] == int(np.sum((market.panel.dates > np.datetime64(record["trained_until"]))
                                           & (market.panel.dates <= np.datetime64(day))))  # fmt: skip


@pytest.mark.parametrize("name", ["both", "by_tops"])
def test_an_evenings_combination_is_the_runs(runs: Path, market: Market, name: str) -> None:
    """Of arms that are scored once for all of them."""
    folder, day = RunFolder.open(runs / "evening"), "2020-08-14"
    whole = pl.read_parquet(folder.scores(name)).filter(pl.col("date") == date.fromisoformat(day))
    ((file, record),) = score(folder, until(market, day), arms=[name])
    found = pl.read_parquet(file)
    assert found.select("date", "symbol").equals(whole.select("date", "symbol"))
    np.testing.assert_allclose(found["score"], whole["score"], atol=1e-12)
    assert record["arm"] == name
    assert len(record["jobs"]) == len(record["seeds"]) == 4


def test_a_day_more_than_the_run_predicts(runs: Path, small_market: Path) -> None:
    """From the command line, with no training: job folders stay as they are, and repeated it leaves the same bytes."""
    before = {path: path.stat().st_mtime_ns for path in (runs / "jobs").rglob("*")}
    ended = deepfactor("score", runs / "evening", "--market", small_market, "--json")
    said = ended.json()["scores"]
    arms = ("gru", "decomp", "ridge", "both", "by_tops")
    assert [(one["arm"], one["date"]) for one in said] == [(arm, "2020-12-31") for arm in arms]
    assert all(one["stocks"] > 30 for one in said)
    assert {path: path.stat().st_mtime_ns for path in (runs / "jobs").rglob("*")} == before
    files = [Path(one["file"]) for one in said]
    first = [file.read_bytes() for file in files]
    again = deepfactor("score", runs / "evening", "--market", small_market)
    assert [file.read_bytes() for file in files] == first
    assert "by fold 2020-07-01" in again.out
    assert "by_rank_ic is left out" in again.err + again.out


def test_what_cannot_be_scored_is_named(runs: Path, small_market: Path) -> None:
    def ask(*arguments: object) -> Ended:
        return deepfactor("score", runs / "evening", "--market", small_market, *arguments)

    refused(ask("--day", "2020-08-15"), "2020-08-15", "no such trading day", "2018-01-02")
    refused(ask("--day", "2020-06-30"), "2020-06-30", "no fold", "had ended its training")
    refused(ask("--arm", "gur"), "gur", "gru")
    refused(ask("--arm", "by_rank_ic"), "by_rank_ic", "ic_weighted", "deepfactor combine")
    refused(deepfactor("score", runs, "--market", small_market), "no run here")


def test_damaged_training_is_named(runs: Path, small_market: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    key = json.loads((tmp_path / "runs/evening/arms/gru/training.json").read_text())["jobs"][0]["key"]
    weights = tmp_path / "runs/jobs" / key / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    asked = ("score", tmp_path / "runs/evening", "--market", small_market, "--arm", "gru")
    refused(deepfactor(*asked), key, "damaged", "deepfactor run")
