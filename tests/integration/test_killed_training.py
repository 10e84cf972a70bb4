"""`kill -9` while a recipe is run: the same command ends with the bits of an unbroken run, and no process is left.

``DEEPFACTOR_KILLS=10`` raises the number of kills with workers, which are dear, from 1 at each kind of moment, and of
those at random times from 5; of the named moments it takes all, else every second.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.killed_training import Runs, Scene, unbroken
from support.recipe import WITH_BASELINE

pytestmark = pytest.mark.slow

WITH_WORKERS = int(os.environ.get("DEEPFACTOR_KILLS", "1"))
AT_RANDOM = max(5, WITH_WORKERS)

#: Moments of a run: a change on disk, the how many-th of that name, killed before or after it.
NAMED = [
    ("replace jobs/inputs-/label.npy", 1, "before"),
    ("replace jobs/inputs-/inputs.json", 1, "before"),
    ("replace jobs/inputs-/inputs.json", 1, "after"),
    ("replace jobs//job.json", 1, "after"),
    ("replace jobs//log.jsonl", 1, "before"),
    ("replace jobs//log.jsonl", 1, "after"),
    ("half of jobs//.checkpoint.safetensors", 1, "before"),
    ("replace jobs//checkpoint.safetensors", 1, "after"),
    ("half of jobs//.checkpoint.safetensors", 2, "before"),
    ("replace jobs//checkpoint.safetensors", 2, "after"),
    ("replace jobs//weights.safetensors", 1, "before"),
    ("replace jobs//weights.safetensors", 1, "after"),
    ("replace jobs//scores.npy", 1, "after"),
    ("replace jobs//axes.json", 1, "after"),
    ("replace jobs//done", 2, "before"),
    ("replace jobs//done", 2, "after"),
    ("replace jobs/inputs-/inputs.json", 2, "before"),
    ("replace jobs//weighting.json", 1, "before"),
    ("replace jobs//weighting.json", 1, "after"),
    ("replace jobs//done", 3, "before"),
    ("replace tiny/arms/ridge/model_card.json", 1, "after"),
    ("replace tiny/arms/gru/scores.parquet", 1, "before"),
    ("replace tiny/arms/gru/model_card.json", 1, "after"),
    ("replace tiny/report.json", 1, "before"),
]
IN_A_WORKER = [
    "weighting.json",
    "log.jsonl",
    "checkpoint.safetensors",
    "weights.safetensors",
    "scores.npy",
    "axes.json",
    "done",
]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    running = Runs()
    yield running
    running.close()


@pytest.fixture(scope="module")
def scene(runs, small_market, tmp_path_factory) -> Scene:
    found = unbroken(runs, WITH_BASELINE, small_market, tmp_path_factory.mktemp("scene"))
    assert {Path(name).name for name in found.left} >= {*IN_A_WORKER, "scores.parquet", "scores_seed0.parquet"}
    return found


@pytest.mark.parametrize(("name", "occurrence", "side"), NAMED if WITH_WORKERS > 1 else NAMED[::2])
def test_killed_at_a_named_moment(scene, runs, tmp_path, name, occurrence, side):
    number = scene.number(name, occurrence, side)
    ended = runs.run(scene.recipe, scene.market, tmp_path / "runs", kill=number)
    assert ended["status"] == -9
    scene.assert_is_mended(runs, tmp_path / "runs", f"{side} {name}")


def test_killed_at_random_times(scene, runs, tmp_path):
    """Uniform over the duration, one in each part of it."""
    rng = np.random.default_rng(len(scene.points))
    killed = 0
    for i, share in enumerate((np.arange(AT_RANDOM) + rng.random(AT_RANDOM)) / AT_RANDOM):
        out = tmp_path / f"runs{i}"
        killed += runs.run(scene.recipe, scene.market, out, after=float(share) * scene.cpu)["status"] == -9
        scene.assert_is_mended(runs, out, f"after {share:.0%} of {scene.cpu:.2f} CPU-s")
        shutil.rmtree(out)
    assert killed >= AT_RANDOM - 2, "nearly all hit it running"


def test_killed_twice(scene, runs, tmp_path):
    """Once in the first job's last epoch, and again in what goes on from there."""
    number = scene.number("replace jobs//checkpoint.safetensors", 2, "before")
    for write in (number, 12):
        assert runs.run(scene.recipe, scene.market, tmp_path / "runs", kill=write)["status"] == -9
    scene.assert_is_mended(runs, tmp_path / "runs", "twice")


@pytest.mark.parametrize("i", range(WITH_WORKERS))
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_with_workers(scene, runs, tmp_path, workers, i):
    """The parent, and with it the worker that writes: another worker ends by itself, and what it wrote is whole."""
    inside = [point for point in scene.points if point.startswith(("replace jobs//", "half of jobs//"))]
    number = 2 + 4 * ((3 * i + workers) % (len(inside) // 2))
    ended = runs.run(scene.recipe, scene.market, tmp_path / "runs", workers=workers, kill=number)
    assert (ended["status"], ended["orphans"]) == (-9, 0)
    scene.assert_is_mended(runs, tmp_path / "runs", f"write {number} of a worker")


@pytest.mark.parametrize("i", range(WITH_WORKERS))
def test_parent_killed_at_a_random_time(scene, runs, tmp_path, i):
    """Two workers that nobody tells to stop: both end by themselves."""
    rng = np.random.default_rng(i)
    share = (i + rng.random()) / WITH_WORKERS
    ended = runs.run(scene.recipe, scene.market, tmp_path / "runs", workers=2, after=6.0 * float(share))
    assert ended["status"] in (-9, 0)
    assert ended["orphans"] == 0
    scene.assert_is_mended(runs, tmp_path / "runs", f"{share:.0%} of two workers")


def test_a_worker_killed_stops_the_run_which_can_go_on(scene, runs, tmp_path):
    how = {"workers": 2, "victims": "worker"}
    ended = runs.run(scene.recipe, scene.market, tmp_path / "runs", kill=9, **how)
    assert (ended["status"], ended["orphans"]) == (3, 0)
    scene.assert_is_mended(runs, tmp_path / "runs", "a worker")
