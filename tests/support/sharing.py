"""A small run whose tests and portfolios are made again and again, by one engine or another."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deepfactor.pipeline import experiment, sharing
from deepfactor.pipeline.markets import open_market
from deepfactor.recipe import load_recipe
from deepfactor.training.engines.base import Engine
from deepfactor.training.engines.processes import Processes

#: Behind the small recipe: a second arm on the index, and a portfolio that can't be had.
MORE = """
[[portfolios]]
index = "000905.SH"
arms = ["decomp_gru_ic"]

[[portfolios]]
index = "000905.SH"
constraints = "{impossible}"
arms = ["gru_ic"]
"""
IMPOSSIBLE = """relax_order = []
[[constraints]]
kind = "must_hold"
weights = { "999999.SH" = 0.5 }
"""
STAGES = ("scores", "tests", "portfolios")
#: What says when and how it was made, and the checksums of that.
OF_THE_CALL = {"run.log", "environment.json", "checksums.json"}


@dataclass
class Heard:
    """A console that keeps what it hears."""

    said: list[str] = field(default_factory=list)
    bars: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        self.bars.setdefault(key, []).append((done, total))

    def finish(self, key: str) -> None: ...


@dataclass(frozen=True)
class Home:
    """A folder with a market, a recipe whose jobs are done, and what one process makes of them (`alone`)."""

    folder: Path

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.toml"

    @property
    def market(self) -> Path:
        return self.folder / "market"

    def alone(self) -> dict[str, str]:
        return content(self.folder / "alone/small")

    def begun(self, place: Path) -> Path:
        """Another runs folder with the jobs alone."""
        shutil.copytree(self.folder / "alone/jobs", place / "jobs")
        return place

    def made_by(self, engine: Engine, place: Path, patch: pytest.MonkeyPatch) -> tuple[dict[str, str], Heard]:
        """What the engine makes in `place`, by file, however small it is; and what it says."""
        patch.setattr(sharing, "START", 0.0)
        patch.setattr(experiment, "_show", lambda folder, *_: folder)
        heard = Heard()
        recipe = load_recipe(str(self.recipe))
        experiment.run(recipe, open_market(self.market), place, only=STAGES, workers=engine, console=heard)
        return content(place / "small"), heard


def make_home(folder: Path, market: Path, recipe: Path, runs: Path) -> None:
    """The home of `recipe`, which was run in `runs` on `market`."""
    shutil.copytree(market, folder / "market", ignore=shutil.ignore_patterns("placebo", "trials.jsonl"))
    shutil.copytree(runs / "jobs", folder / "alone/jobs")
    (folder / "impossible.toml").write_text(IMPOSSIBLE)
    text = recipe.read_text().replace("placebo = 2", "placebo = 0")
    (folder / "recipe.toml").write_text(text + MORE.format(impossible=folder / "impossible.toml"))
    with pytest.MonkeyPatch.context() as patch:
        Home(folder).made_by(Processes(0), folder / "alone", patch)


def content(folder: Path) -> dict[str, str]:
    """Hashes of all files but those of the call."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if name not in OF_THE_CALL
    }
