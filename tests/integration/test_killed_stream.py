"""Training by sequences, `kill -9` around the writing of the stream's state: the same bits in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.killed_training import Runs, Scene, unbroken
from support.recipe import TINY

pytestmark = pytest.mark.slow

RECIPE = (
    TINY.split("[[arms]]")[0].replace(
        "fit = { epochs = 2, seeds = [0], weight_average = 0.1 }",
        'fit = { epochs = 1, seeds = [0], samples = "sequences", steps = 5, burn_in = 5, updates = 2 }',
    )
    + """
[[arms]]
name = "decomp"
model = { kind = "decomp_gru", hidden = 16 }
scaling = "by_day"
"""
)
STATE = "replace jobs//stream.safetensors"


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    running = Runs()
    yield running
    running.close()


@pytest.fixture(scope="module")
def scene(runs: Runs, small_market: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return unbroken(runs, RECIPE, small_market, tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize("side", ["before", "after"])
def test_killed(scene: Scene, runs: Runs, tmp_path: Path, side: str) -> None:
    out = tmp_path / "runs"
    ended = runs.run(scene.recipe, scene.market, out, kill=scene.number(STATE, 1, side))
    assert ended["status"] == -9
    scene.assert_is_mended(runs, out, f"{side} {STATE}")
