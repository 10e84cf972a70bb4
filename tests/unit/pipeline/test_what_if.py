"""`enhance --what-if` on a small simulated market: each figure recomputed, and the table that shows them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline import factor as factors
from deepfactor.pipeline import markets
from deepfactor.pipeline.what_if import table
from deepfactor.recipe import Portfolio
from deepfactor.sources.simulated import Settings

INDEX = "000905.SH"
WHAT_IF = ("max_active_weight=0.02", "max_turnover=0.05,turnover.sided=one", "cash=0.005")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("what_if")
    span = {"start": date(2018, 1, 2), "end": date(2018, 12, 28)}
    market = markets.simulate(folder / "market", Settings(stocks=80, **span))
    values = np.random.default_rng(0).standard_normal(market.panel.shape)
    eligible = market.universe.eligible(UniverseRule(window=20, min_observed=10))
    factor = factors.Factor(Scores("random", market.panel.dates, market.panel.symbols, values), eligible)
    portfolio = Portfolio(index=INDEX, constraints="study_b")
    enhanced = factors.enhance(factor, market, folder / "out", portfolio, what_if=WHAT_IF)
    with pytest.raises(RecipeError, match="no setting 'beta'"):
        factors.enhance(factor, market, folder / "other", portfolio, what_if=("beta=1",))
    assert not (folder / "other").exists()  # refused before the work
    return enhanced, folder / "out" / "portfolio" / "random" / INDEX / "study_b"


def test_entries_are_on_disk_in_the_order_asked(results):
    enhanced, place = results
    content = json.loads((place / "what_if.json").read_text(encoding="utf-8"))
    assert content["scenarios"] == list(enhanced.what_if)
    assert [one["setting"] for one in content["scenarios"]] == ["base", *WHAT_IF]
    assert content["scenarios"][1]["changed"] == {"stock_active_weight.limit": {"from": 0.008, "to": 0.02}}
    alone = json.loads((place / "summary.json").read_text(encoding="utf-8"))
    assert alone == enhanced.summary


def test_constraints_and_attribution_take_the_preset_s_style_set(results):
    enhanced, place = results
    assert {"SIZE", "BETA", "NLSIZE", "BTOP"} <= enhanced.summary["attribution"]["all"]["styles"].keys()
    resolved = json.loads((place / "constraints.json").read_text(encoding="utf-8"))
    assert resolved["styles"] == {"kind": "barra_cne5"}


def test_the_base_is_what_the_tables_say(results):
    enhanced, place = results
    base = enhanced.what_if[0]
    weights, rebalances = pl.read_parquet(place / "weights.parquet"), pl.read_parquet(place / "rebalances.parquet")
    relaxations = pl.read_parquet(place / "relaxations.parquet")
    shares, turnover = [], []
    for (day,), rows in weights.group_by("date", maintain_order=True):
        shares.append(0.5 * (rows["weight"] - rows["benchmark_weight"]).abs().sum())
        if not rebalances.filter(pl.col("date") == day)["first"].item():
            turnover.append((rows["weight"] - rows["drifted_weight"]).abs().sum())
    assert base["same_books"]["active_share"] == pytest.approx(np.mean(shares))
    assert base["same_books"]["turnover"] == pytest.approx(np.mean(turnover))
    assert base["same_books"]["objective"] == pytest.approx(rebalances["objective"].mean())
    assert base["same_books"]["names"] == pytest.approx(rebalances["held"].mean())
    assert sum(base["same_books"]["relaxed_bounds"].values()) == relaxations.height
    for key in ("excess", "tracking_error", "turnover"):
        assert base["backtest"][key] == enhanced.summary["all"][key]


def test_looser_and_tighter_settings_move_the_objective_their_way(results):
    base, looser, tighter, same = (one["same_books"] for one in results[0].what_if)
    assert looser["objective"] > base["objective"] > tighter["objective"]
    assert looser["active_share"] > base["active_share"]
    assert tighter["turnover"] < base["turnover"]
    assert same == base


def test_a_setting_that_changes_nothing_changes_nothing(results):
    base, *_, same = (one["backtest"] for one in results[0].what_if)
    assert same == base


def test_the_table_has_a_column_a_scenario(results):
    entries = results[0].what_if
    lines = table(entries)
    assert lines[0].split() == ["base", *WHAT_IF]
    (excess,) = [line for line in lines if line.strip().startswith("excess")]
    assert excess.split()[1:] == [f"{one['backtest']['excess']:+.2%}" for one in entries]
    assert any(line.strip().startswith("binds: stock_active_weight") for line in lines)
    assert table(()) == []
