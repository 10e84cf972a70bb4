"""A network with a weighting behind it, from recipe to report; `kill -9` between the two: the same bits in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from support.killed_training import Runs, Scene, unbroken
from support.recipe import TINY
from support.results import read

pytestmark = pytest.mark.slow

RECIPE = (
    TINY.split("[[arms]]")[0]
    + """
[[arms]]
name = "second"
model = { kind = "bi_agru", hidden = 8, layers = 1, factors = 3, orthogonal = true }
weighting = { kind = "xgboost", rounds = 10, check_every = 5, min_weight = 5 }
fit_on = "train"
"""
)
MOMENTS = [
    ("replace jobs//checkpoint.safetensors", 2, "after"),
    ("replace jobs//weights.safetensors", 1, "after"),
    ("replace jobs//weighting.json", 1, "before"),
    ("replace jobs//weighting.json", 1, "after"),
    ("replace jobs//scores.npy", 1, "after"),
    ("replace jobs//done", 1, "before"),
]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    running = Runs()
    yield running
    running.close()


@pytest.fixture(scope="module")
def scene(runs: Runs, small_market: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return unbroken(runs, RECIPE, small_market, tmp_path_factory.mktemp("scene"))


def test_the_whole_way(scene: Scene) -> None:
    run = scene.whole / "tiny"
    card, training = read(run / "arms" / "second" / "model_card.json"), read(run / "arms" / "second" / "training.json")
    assert (card["kind"], card["weighting"]["kind"], card["weighting"]["fit_on"]) == ("bi_agru", "xgboost", "train")
    assert {"BP", "EP", "ROE", "PROFIT_YOY", "SUE"} <= set(card["inputs"]["fundamentals"])
    (job,) = training["jobs"]
    assert list(job["importance"]) == [f"deep_0{k}" for k in (1, 2, 3)] + card["inputs"]["fundamentals"]
    assert {factor["sign"] for factor in job["deep_factors"]} <= {-1, 1}
    assert list(training["importance"]) == ["3 deep factors", *card["inputs"]["fundamentals"]]
    scores = pl.read_parquet(run / "arms" / "second" / "scores.parquet")
    assert scores.height > 1000
    assert np.isfinite(scores["score"].to_numpy()).all()
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "3 deep factors" in page
    assert "kind xgboost" in page


@pytest.mark.slow
@pytest.mark.parametrize(("name", "occurrence", "side"), MOMENTS)
def test_killed(scene: Scene, runs: Runs, tmp_path: Path, name: str, occurrence: int, side: str) -> None:
    out = tmp_path / "runs"
    ended = runs.run(scene.recipe, scene.market, out, kill=scene.number(name, occurrence, side))
    assert ended["status"] == -9
    scene.assert_is_mended(runs, out, f"{side} {name}")
