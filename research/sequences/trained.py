"""One network trained on the folds of a recipe: what each job's log says, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.cross_section.correlation import spearman
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.names import with_market_names
from deepfactor.pipeline.planning import plan
from deepfactor.recipe import load_recipe
from deepfactor.training.data import TrainingData, open_data
from deepfactor.training.engine import run_jobs
from deepfactor.training.ensemble import collect
from deepfactor.training.finished import read_log


@dataclass(frozen=True)
class Course:
    """A job's epochs: validation RankIC after each, and the CPU-seconds from the start to the end of each.

    `after` is the mean RankIC with the same label over the test span, of the weights that validation chose, on the days
    whose label ends within it; `scores` (T, N) are those of the test days.
    """

    fold: str
    seed: int
    folder: Path
    rank_ic: tuple[float, ...]
    cpu: tuple[float, ...]
    after: float
    scores: Float64

    @property
    def best(self) -> float:
        """The best epoch's validation RankIC, whose weights are kept."""
        return max(self.rank_ic)

    @property
    def best_epoch(self) -> int:
        """From 1 on."""
        return self.rank_ic.index(self.best) + 1

    def cpu_to(self, level: float) -> float | None:
        """CPU-seconds until a validation RankIC of `level` was first seen; None = never."""
        return next((cpu for value, cpu in zip(self.rank_ic, self.cpu, strict=True) if value >= level), None)

    @property
    def restlessness(self) -> float:
        """Mean absolute change of the validation RankIC from epoch to epoch, from the third on."""
        later = self.rank_ic[2:]
        return sum(abs(b - a) for a, b in pairwise(later)) / max(len(later) - 1, 1)


def train(market: Market, jobs: Path, arm: str, settings: Sequence[str], precision: str = "float32") -> list[Course]:
    """Train `arm` of `study_b_full` with `settings` (``key=value``) on a market, in this process; finished jobs of the
    store `jobs` are not trained again."""
    place = [one.name for one in load_recipe("study_b_full").arms].index(arm)
    own = () if precision == "float32" else (f'arms.{place}.model.precision="{precision}"',)
    recipe = load_recipe("study_b_full", (*settings, *own))
    kept = recipe.arms[place : place + 1]
    recipe = with_market_names(recipe.model_copy(update={"arms": kept, "portfolios": ()}), market)
    planned = plan(recipe, market, jobs)
    run_jobs(planned.jobs, planned.arrays, jobs, workers=1)
    courses = []
    for job in planned.jobs:
        log = read_log(jobs / job.key)
        seconds = [sum(row["cpu"] for row in log[: i + 1]) for i in range(len(log))]
        values = tuple(row["valid_rank_ic"] for row in log)
        data = open_data(planned.arrays[job.arm.name])
        scores = collect([job], jobs, data.dates, data.symbols)[job.arm.name].seeds[job.seed].values
        after = _rank_ic(scores, data, job.fold.test[: len(job.fold.test) - planned.inputs[job.arm.name].reach])
        courses.append(Course(job.fold.name, job.seed, jobs / job.key, values, tuple(seconds), after, scores))
    return courses


def _rank_ic(scores: Float64, data: TrainingData, days: range) -> float:
    """Mean RankIC of scores with the label that they were trained on."""
    known = [(t, np.flatnonzero(np.isfinite(scores[t]) & np.isfinite(data.label[t]))) for t in days]
    return float(np.mean([spearman(scores[t, stocks], data.label[t, stocks]) for t, stocks in known]))
