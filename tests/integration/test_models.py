"""`models`: who is live, how matured days compare, promoted and retired by name, traded by the next evening."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from deepfactor.evaluation.statistics import newey_west_t
from deepfactor.panel.returns import forward_return
from deepfactor.pipeline.markets import open_market
from deepfactor.pipeline.models import _rank_ics
from deepfactor.pipeline.scoring import score
from deepfactor.runs.layout import RunFolder
from support.cli import deepfactor, refused
from support.recipe import RIDGE

RECIPE = (
    RIDGE.format(name="live")
    + """
[[arms]]
name = "coarse"
weighting = { kind = "ridge" }
every = 40
"""
)
pytestmark = pytest.mark.slow  # whole runs; the nightly tests stay among the fast ones

NIGHTLY = """
market = "market"
run = "runs/live"
arm = "ridge"
out = "desk"

[[accounts]]
name = "csi500"
index = "000905.SH"
constraints = "loose.toml"
cash = 20_000_000
"""
LOOSE = """
definitions = "study_b"
signal = "daily"
cash = 0.02
relax_order = ["stock"]

[[constraints]]
kind = "stock_active_weight"
limit = 0.05
"""
DAYS = [f"2020-11-{day:02d}" for day in (2, 3, 4, 5, 6, 9, 10, 11, 12)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Path:
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(small_market, folder / "market")
    for name, text in (("recipe", RECIPE), ("nightly", NIGHTLY), ("loose", LOOSE)):
        (folder / f"{name}.toml").write_text(text)
    asked = ("run", folder / "recipe.toml", "--market", folder / "market", "--out", folder / "runs", "--workers", 0)
    assert deepfactor(*asked).code == 0
    market = open_market(folder / "market")
    for day in DAYS:
        score(RunFolder.open(folder / "runs/live"), market, day=date.fromisoformat(day))
    return folder


def listed(home: Path) -> dict[str, dict[str, object]]:
    return {one["arm"]: one for one in deepfactor("models", "list", home / "nightly.toml", "--json").json()["models"]}


def test_arms_are_compared_on_days_that_both_have(home: Path) -> None:
    found = listed(home)
    assert {name: one["state"] for name, one in found.items()} == {"ridge": "champion", "coarse": "challenger"}
    market, run = open_market(home / "market"), RunFolder.open(home / "runs/live")
    returns = forward_return(market.panel, "t1_close", 5)
    own, best = (_rank_ics(run, name, market, returns) for name in ("coarse", "ridge"))
    assert np.isfinite(own).sum() == len(DAYS) == found["coarse"]["live_days"]
    assert found["coarse"]["rank_ic"] == pytest.approx(np.nanmean(own))
    assert found["coarse"]["less_champion"] == pytest.approx(np.nanmean(own - best))
    assert found["coarse"]["t"] == pytest.approx(newey_west_t(own - best, 4))
    assert found["ridge"]["less_champion"] is None


def test_the_champion_is_traded_by_and_its_predecessor_can_go(home: Path) -> None:
    def factor() -> str:
        record = deepfactor("nightly", home / "nightly.toml", "--day", DAYS[-1], "--json").json()
        place = home / "desk" / record["accounts"][0]["rebalance"] / "rebalance.json"
        return str(json.loads(place.read_text())["factor"])

    assert factor() == "ridge"
    ask = ("models", "promote", home / "nightly.toml", "--arm", "coarse")
    refused(deepfactor(*ask), "nobody's name")
    assert deepfactor(*ask, "--by", "Lin").code == 0
    assert deepfactor(*ask, "--by", "Lin").code == 0
    assert len((home / "desk" / "models.jsonl").read_text().splitlines()) == 1, "twice is once"
    assert factor() == "coarse"
    refused(deepfactor("models", "retire", home / "nightly.toml", "--arm", "coarse", "--by", "Lin"), "is the champion")
    assert deepfactor("models", "retire", home / "nightly.toml", "--arm", "ridge", "--by", "Lin").code == 0
    assert {name: one["state"] for name, one in listed(home).items()} == {"ridge": "retired", "coarse": "champion"}
    refused(deepfactor("models", "promote", home / "nightly.toml", "--arm", "rigde", "--by", "Lin"), "rigde", "ridge")
    (home / "desk" / "models.jsonl").write_text("{}\n")
    refused(deepfactor("models", "list", home / "nightly.toml"), "models.jsonl", "which model is live")
