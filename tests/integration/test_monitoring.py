"""`monitor`: quiet on days as tested, exit 4 and a name where the score has turned round."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.pipeline.markets import open_market
from deepfactor.pipeline.scoring import score
from deepfactor.runs.layout import RunFolder
from support.cli import deepfactor, refused
from support.recipe import RIDGE

pytestmark = pytest.mark.slow

RECIPE = RIDGE.format(name="watched")
LIVE = ("2020-11-02", "2020-11-03", "2020-11-04", "2020-11-05", "2020-11-06", "2020-11-09", "2020-11-10")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "recipe.toml").write_text(RECIPE)
    asked = ("run", folder / "recipe.toml", "--market", small_market, "--out", folder, "--workers", 0)
    assert deepfactor(*asked).code == 0
    return folder / "watched"


def test_nothing_is_watched_before_it_is_scored(watched: Path, small_market: Path) -> None:
    refused(deepfactor("monitor", watched, "--market", small_market), "2020-10-30", "deepfactor score first")


def test_quiet_as_tested_and_named_where_turned_round(watched: Path, small_market: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(watched.parent, tmp_path / "runs")) / "watched"
    market = open_market(small_market)
    for day in LIVE:
        score(RunFolder.open(run), market, day=date.fromisoformat(day))
    ended = deepfactor("monitor", run, "--market", small_market, "--json")
    record = ended.json()
    assert record["alarms"] == []
    assert (record["date"], record["live_days"]) == (LIVE[-1], len(LIVE))
    assert json.loads(Path(record["file"]).read_text())["lights"] == record["lights"]
    states = {one["measure"]: one["state"] for one in record["lights"]}
    assert states["coverage"] == states["age"] == states["leans on ret_20"] == states["frozen ret_1"] == "ok"
    for file in (run / "scores" / "ridge").glob("*.parquet"):
        pl.read_parquet(file).with_columns(-pl.col("score")).write_parquet(file)
    turned = deepfactor("monitor", run, "--market", small_market)
    assert turned.code == 4
    assert any(line.startswith("ALARM") and "leans on" in line for line in turned.out.splitlines())
    assert np.isfinite([one["value"] for one in record["lights"] if one["value"] is not None]).all()
