"""Where a run keeps what. Columns and keys of these files are public: see ``docs/conventions.md``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from deepfactor.core.errors import DataError


class Scored(TypedDict):
    """What is read of an arm or a combination in a resolved recipe."""

    name: str
    published: NotRequired[str | None]


class Backtests(TypedDict):
    """Of the backtests that a resolved recipe asks for: the arms, none = all, by index and constraints."""

    arms: list[str]
    index: str
    constraints: str


class RecipePlan(TypedDict):
    """Of the training plan: years of each span, one training day in `every`."""

    train_years: int
    valid_years: int
    test_years: int
    every: int


class RecipeFit(TypedDict):
    """Of the fit."""

    epochs: int
    patience: int
    lr: float
    seeds: list[int]


class RecipeFile(TypedDict, total=False):
    """What is read of ``recipe.json`` by name; of a factor file's test it has no plan and no fit."""

    name: str
    title: str
    universe: Mapping[str, object]
    plan: RecipePlan
    fit: RecipeFit
    arms: list[Scored]
    combinations: list[Scored]
    portfolios: list[Backtests]


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run under a runs folder; jobs are shared by all runs there."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run; `DataError` where there is none."""
        if not (path / "recipe.json").is_file():
            raise DataError("no run here (no recipe.json): give the folder that `deepfactor run` printed", file=path)
        return cls(path)

    @property
    def jobs(self) -> Path:
        """Trained jobs of all runs beside this one."""
        return self.path.parent / "jobs"

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.json"

    @property
    def refers(self) -> Path:
        """What of the jobs beside it the run's last call read, see `pipeline.cleaning`."""
        return self.path / "refers.json"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def log(self) -> Path:
        return self.path / "run.log"

    @property
    def failures(self) -> Path:
        """What failed; absent where nothing did."""
        return self.path / "failures.json"

    @property
    def logs(self) -> Path:
        """Tracebacks of faults of ours."""
        return self.path / "failures"

    @property
    def done(self) -> Path:
        """What of the stages behind training is done, see `runs.done`."""
        return self.path / "stages.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def arm(self, arm: str) -> Path:
        """Scores and factor test of an arm."""
        return self.path / "arms" / arm

    def scores(self, arm: str, seed: int | None = None) -> Path:
        """Scores of an arm: a seed's, or the ensemble's."""
        return self.arm(arm) / f"scores{'' if seed is None else f'_seed{seed}'}.parquet"

    def day_scores(self, arm: str, day: str) -> Path:
        """Scores of one day (ISO), which `deepfactor score` leaves; a JSON of that name stands beside."""
        return self.path / "scores" / arm / f"{day}.parquet"

    def tests(self, arm: str) -> tuple[Path, ...]:
        """Files of an arm's factor test."""
        series = (f"{name}.parquet" for name in ("ic_series", "residual_ic_series", "group_nav"))
        return tuple(self.arm(arm) / name for name in ("factor_report.json", *series))

    def portfolio(self, arm: str, index: str, constraints: str) -> Path:
        """One index-enhanced backtest; a constraint file counts by its stem."""
        return self.path / "portfolio" / arm / index / Path(constraints).stem

    @staticmethod
    def portfolio_label(arm: str, index: str, constraints: str) -> str:
        """A backtest's name for people."""
        return f"{arm} · {index} · {Path(constraints).stem}"

    @staticmethod
    def scored(recipe: RecipeFile) -> list[Scored]:
        """What of the resolved `recipe` has scores: arms, then combinations."""
        return [*recipe["arms"], *recipe.get("combinations", ())]

    def portfolios(self, recipe: RecipeFile) -> list[Path]:
        """Folders of the backtests that the resolved `recipe` asks for; not what earlier settings left."""
        arms = [arm["name"] for arm in self.scored(recipe)]
        return [
            self.portfolio(arm, portfolio["index"], portfolio["constraints"])
            for portfolio in recipe.get("portfolios", ())
            for arm in portfolio["arms"] or arms
        ]
