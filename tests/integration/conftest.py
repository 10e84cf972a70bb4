"""The main job in the smallest: a recipe, and its run on the small market, made once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from support.cli import Ended, deepfactor_process
from support.recipe import RECIPE
from support.shared import made_once
from support.sharing import Home, make_home


@dataclass(frozen=True)
class MainJob:
    """A finished run. `runs` holds it and its jobs: copy it before writing."""

    market: Path
    recipe: Path
    runs: Path
    ended: Ended

    @property
    def run(self) -> Path:
        return self.runs / "small"


@pytest.fixture(scope="session")
def main_job(tmp_path_factory: pytest.TempPathFactory, small_market: Path) -> MainJob:
    """``deepfactor run`` in a process of its own, from a recipe file to the report."""

    def make(folder: Path) -> None:
        (folder / "recipe.toml").write_text(RECIPE)
        arguments = ("run", folder / "recipe.toml", "--market", small_market, "--out", folder / "runs")
        result = deepfactor_process(*arguments, "--workers", 0, "--json", cwd=folder)
        (folder / "ended.json").write_text(json.dumps(asdict(result)))

    folder = made_once(tmp_path_factory, "main_job", make)
    ended = Ended(**json.loads((folder / "ended.json").read_text()))
    return MainJob(small_market, folder / "recipe.toml", folder / "runs", ended)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, main_job: MainJob) -> Home:
    """Tests and portfolios of the main job and a few more, as one process makes them."""

    def make(folder: Path) -> None:
        make_home(folder, main_job.market, main_job.recipe, main_job.runs)

    return Home(made_once(tmp_path_factory, "home", make))
