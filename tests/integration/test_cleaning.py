"""`clean`: says what no run refers to, removes it when told so, and never what a run reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfactor.core.files import folder_lock
from support.cli import deepfactor, refused
from support.recipe import TINY

pytestmark = pytest.mark.slow  # whole runs; the nightly tests stay among the fast ones


@pytest.fixture
def runs(tmp_path: Path, small_market: Path) -> Path:
    """A run, and again with another window and another seed: the first arrays and jobs are idle."""
    recipe = tmp_path / "tiny.toml"
    for text in (TINY, TINY.replace("window = 30 }", "window = 27 }", 1)):
        recipe.write_text(text)
        asked = ("run", recipe, "--market", small_market, "--out", tmp_path / "runs", "--workers", 0)
        assert deepfactor(*asked, "--only", "training").code == 0
    return tmp_path / "runs"


def test_what_is_idle_is_said_then_removed(runs: Path, small_market: Path) -> None:
    before = sorted(path.name for path in (runs / "jobs").iterdir())
    said = deepfactor("clean", runs, "--json").json()
    assert sorted(path.name for path in (runs / "jobs").iterdir()) == before
    assert [one["kind"] for one in said["idle"]] == ["inputs", "job", "job"]
    assert said["bytes"] == sum(one["bytes"] for one in said["idle"]) > 100_000
    removed = deepfactor("clean", runs, "--remove")
    assert removed.code == 0
    assert "3 folders" in removed.out
    left = {path.name for path in (runs / "jobs").iterdir() if path.is_dir()}
    assert len(left) == 3
    assert left.isdisjoint(Path(one["path"]).name for one in said["idle"])
    recipe = runs.parent / "tiny.toml"
    again = deepfactor("run", recipe, "--market", small_market, "--out", runs, "--workers", 0, "--only", "training")
    assert "2 done before" in again.err
    assert deepfactor("clean", runs, "--json").json()["idle"] == []


def test_nothing_is_removed_where_a_run_is_silent_or_one_is_going_on(runs: Path) -> None:
    idle = Path(deepfactor("clean", runs, "--json").json()["idle"][0]["path"])
    with folder_lock(idle):
        refused(deepfactor("clean", runs, "--remove"), "being written by another process")
    (runs / "tiny" / "refers.json").unlink()
    refused(deepfactor("clean", runs, "--remove"), "tiny", "earlier version")
    assert idle.is_dir()
    refused(deepfactor("clean", runs.parent), "holds no run")
