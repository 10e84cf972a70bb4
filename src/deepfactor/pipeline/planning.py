"""What a recipe will do on a market: jobs, what they read, what is left to train. Nothing is trained here."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.backtest.span import index_span
from deepfactor.core.choices import choices
from deepfactor.core.errors import DataError, RecipeError
from deepfactor.features.base import FeatureSet
from deepfactor.labels.base import Label
from deepfactor.panel.panel import rows_between
from deepfactor.pipeline.inputs import Inputs, prepare_arrays, prepare_inputs
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.names import with_market_names
from deepfactor.pipeline.places import require_outside
from deepfactor.recipe import Recipe
from deepfactor.report.content.published import references
from deepfactor.runs.layout import RunFolder
from deepfactor.training.arms import Arm
from deepfactor.training.data import Arrays, TrainingData, open_data
from deepfactor.training.device import device_of
from deepfactor.training.estimate import DayCost, estimate
from deepfactor.training.jobs import Job, is_done, plan_jobs
from deepfactor.training.plan import Fold, cut_short, folds
from deepfactor.training.stored import open_inputs


@dataclass(frozen=True)
class Planned:
    """What a recipe will do on a market: its jobs, by arm's name what it reads and where that lies, stock-days an epoch
    of the largest fold, what a user should know of it, and what was damaged on disk and made again."""

    jobs: list[Job]
    inputs: Mapping[str, Inputs]
    arrays: Mapping[str, Arrays]
    stock_days: int
    said: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()


class PlannedJob(TypedDict):
    """A job by its name for people and its key."""

    job: str
    key: str
    done: bool


class ArmCost(TypedDict):
    """What a day of `stocks` takes of a core: to train on, to score, and once for its statistics; what is left of the
    arm's jobs, without these."""

    stocks: int
    step_ms: float
    score_ms: float
    statistics_ms: float
    cpu_hours: float


class TrainingCost(TypedDict):
    """What is left to train at most, and what the disk has free."""

    device: str
    workers: int
    cpu_hours: float
    wall_hours: float
    memory_mib_a_worker: int
    disk_mib: float
    disk_free_mib: int
    arms: dict[str, ArmCost]


class DryRun(TypedDict):
    """What `run` would do."""

    recipe: str
    jobs: list[PlannedJob]
    said: list[str]
    stock_days_an_epoch: int
    epochs: int
    seeds: list[int]
    estimate: TrainingCost


def plan(recipe: Recipe, market: Market, jobs_folder: Path) -> Planned:
    """Fold the market by the recipe and list the jobs; trains nothing.

    Raises
    ------
    RecipeError, DataError
        the market lacks what the recipe needs.
    """
    windows = _windows(recipe, market)  # fails before any array is made
    _check_published(recipe)
    jobs: list[Job] = []
    inputs: dict[str, Inputs] = {}
    arrays: dict[str, Arrays] = {}
    mended: list[str] = []
    for features, label in dict.fromkeys(_learnt(recipe, arm) for arm in recipe.arms):
        made = prepare_inputs(recipe, market, jobs_folder, features=features, label=label, tell=mended.append)
        data = open_data(made.folder)
        own = {f"arms.{i}": arm for i, arm in enumerate(recipe.arms) if _learnt(recipe, arm) == (features, label)}
        inputs |= {arm.name: made for arm in own.values()}
        for arm in own.values():
            arrays[arm.name] = prepare_arrays(recipe, market, made.folder, arm, mended.append)
        jobs += plan_jobs(
            data,
            own.values(),
            folds(data.dates, recipe.plan, made.reach),
            recipe.plan,
            recipe.fit,
            inputs=made.inputs,
            label=made.label,
            keys=list(own),
            stored={arm.name: open_inputs(arrays[arm.name].inputs) for arm in own.values()},
        )
    order = [arm.name for arm in recipe.arms]
    jobs.sort(key=lambda job: (job.fold.test.start, order.index(job.arm.name)))  # stable: seeds stay as they are
    _check_tested(recipe, market, windows)
    _check_portfolios(recipe, market, windows)
    for window in windows:
        _check_stocks(data, window, recipe.fit.min_stocks)
    sizes = [int(np.asarray(data.eligible[window.train[:: recipe.plan.every]]).sum()) for window in windows]
    short = cut_short(market.panel.dates, recipe.plan)
    return Planned(jobs, inputs, arrays, max(sizes), () if short is None else (short,), tuple(mended))


def _windows(recipe: Recipe, market: Market) -> Sequence[Fold]:
    """The folds, whatever a label reads ahead."""
    try:
        return folds(market.panel.dates, recipe.plan, 0)
    except RecipeError as error:
        if (locked := market.panel.locked) is None:
            raise
        raise RecipeError(f"{error} (days from {locked} on are a locked holdout)") from None


def _check_tested(recipe: Recipe, market: Market, windows: Sequence[Fold]) -> None:
    """Some day that is predicted lies in the span that is tested."""
    dates = market.panel.dates
    first, last = (dates[row].astype(dt.date) for row in (windows[0].test.start, windows[-1].test.stop - 1))
    for key, day in (("start", recipe.test.start), ("end", recipe.test.end)):
        if day is not None and (day > last if key == "start" else day < first):
            raise RecipeError(f"{day}: predicted are {first} to {last}", key=f"test.{key}")


def _check_portfolios(recipe: Recipe, market: Market, windows: Sequence[Fold]) -> None:
    """Each portfolio has days that are predicted, and an index with members on some of them."""
    dates = market.panel.dates
    first, stop = windows[0].test.start, windows[-1].test.stop
    for i, one in enumerate(recipe.portfolios):
        span = rows_between(dates, *(None if day is None else np.datetime64(day, "D") for day in (one.start, one.end)))
        rows = range(max(first, span.start), min(stop, span.stop))
        if not len(rows):
            key = "start" if one.start is not None and span.start >= stop else "end"
            raise RecipeError(f"predicted are {dates[first]} to {dates[stop - 1]}", key=f"portfolios.{i}.{key}")
        try:
            index_span(market.universe, one.index, rows)
        except DataError as error:
            raise RecipeError(str(error), key=f"portfolios.{i}.index") from None


def _check_stocks(data: TrainingData, fold: Fold, least: int) -> None:
    """Some day of each span that is learnt from has `least` stocks to score; with labels it may still be fewer."""
    for name, span in (("training", fold.train), ("validation", fold.valid)):
        most = int(np.asarray(data.eligible[span.start : span.stop]).sum(axis=1).max())
        if most < least:
            raise RecipeError(
                f"{least}: no {name} day of fold {fold.name} has so many stocks to score, the most are {most}",
                key="fit.min_stocks",
            )


def _learnt(recipe: Recipe, arm: Arm) -> tuple[FeatureSet, Label]:
    """What an arm reads and what it is trained to foresee."""
    return arm.features or recipe.features, arm.label or recipe.label


def _check_published(recipe: Recipe) -> None:
    """The published numbers that a recipe names exist."""
    for i, arm in enumerate(recipe.arms):
        if arm.published is not None and arm.published not in references():
            raise RecipeError(
                f"no published numbers {arm.published!r}: {choices(arm.published, references())}",
                key=f"arms.{i}.published",
            )


def dry_run(recipe: Recipe, market: Market, out: Path, *, workers: int = 1, device: str = "cpu") -> DryRun:
    """Check a recipe against a market and say what `run` would do: jobs with their keys, size of the largest epoch, and
    what is left to train at most, from a few measured steps of each arm."""
    device_of(device)
    require_outside(out)
    recipe = with_market_names(recipe, market)
    folder = RunFolder(out / recipe.name)
    planned = plan(recipe, market, folder.jobs)
    expected = estimate(planned.jobs, planned.arrays, folder.jobs, workers=workers, device=device)
    return {
        "recipe": recipe.name,
        "jobs": [{"job": job.label, "key": job.key, "done": is_done(folder.jobs, job)} for job in planned.jobs],
        "said": list(planned.said),
        "stock_days_an_epoch": planned.stock_days,
        "epochs": recipe.fit.epochs,
        "seeds": list(recipe.fit.seeds),
        "estimate": {
            "device": device,
            "workers": expected.workers,
            "cpu_hours": round(expected.cpu_seconds / 3600, 4),
            "wall_hours": round(expected.wall_seconds / 3600, 4),
            "memory_mib_a_worker": round(expected.memory / 2**20),
            "disk_mib": round(expected.disk / 2**20, 1),
            "disk_free_mib": round(shutil.disk_usage(folder.jobs).free / 2**20),
            "arms": {name: _cost(cost, expected.arm_seconds[name]) for name, cost in expected.arms.items()},
        },
    }


def _cost(cost: DayCost, seconds: float) -> ArmCost:
    """An arm's measured cost, in milliseconds of a core, and what is left of it."""
    return {
        "stocks": cost.stocks,
        "step_ms": round(1e3 * cost.step, 1),
        "score_ms": round(1e3 * cost.score, 1),
        "statistics_ms": round(1e3 * cost.statistics, 1),
        "cpu_hours": round(seconds / 3600, 4),
    }
