"""`run`: a recipe on a market, from training to report. Every stage leaves its files; done jobs are not done again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.choices import choices
from deepfactor.core.errors import RecipeError
from deepfactor.core.files import remove_litter, write_json
from deepfactor.core.kind import Kind
from deepfactor.evaluation.character import model_correlation
from deepfactor.evaluation.factor_test import FactorReport, test_factor
from deepfactor.models._kernels import kernel_in_use
from deepfactor.panel.panel import Bools
from deepfactor.pipeline.combining import combine_arms
from deepfactor.pipeline.console import Console, Logged, Silent
from deepfactor.pipeline.conventions import with_known_prices
from deepfactor.pipeline.enhancing import backtest_to
from deepfactor.pipeline.inputs import Inputs, batch_of, prepare_inputs
from deepfactor.pipeline.markets import Market, StyleSets, absent_styles
from deepfactor.pipeline.names import with_market_names
from deepfactor.pipeline.oracle import compare_with_oracle
from deepfactor.pipeline.pages import load_arm, report_run
from deepfactor.pipeline.pairs import paired_differences
from deepfactor.pipeline.parts import prepare_arrays
from deepfactor.recipe import Recipe, load_constraints
from deepfactor.report.published import references
from deepfactor.runs.edges import write_edges
from deepfactor.runs.environment import Stages, write_environment
from deepfactor.runs.factors import write_scores
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import write_factor_test
from deepfactor.styles.base import Styles
from deepfactor.training.cards import model_card, training_record
from deepfactor.training.data import Arrays, open_data
from deepfactor.training.device import device_of
from deepfactor.training.engine import run_jobs
from deepfactor.training.ensemble import ArmScores, collect
from deepfactor.training.estimate import Cost, estimate
from deepfactor.training.jobs import Job, Progress, is_done, plan_jobs
from deepfactor.training.parts import open_parts
from deepfactor.training.plan import cut_short, folds
from deepfactor.training.spec import Arm


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


def plan(recipe: Recipe, market: Market, jobs_folder: Path, *, allow_code: bool = False) -> Planned:
    """Fold the market by the recipe and list the jobs; trains nothing.

    Raises
    ------
    RecipeError, DataError
        the market lacks what the recipe needs.
    """
    windows = folds(market.panel.dates, recipe.plan, 0)  # fails before any array is made
    _check_published(recipe)
    jobs: list[Job] = []
    inputs: dict[str, Inputs] = {}
    arrays: dict[str, Arrays] = {}
    mended: list[str] = []
    for features in dict.fromkeys(_features(recipe, arm) for arm in recipe.arms):
        made = prepare_inputs(recipe, market, jobs_folder, features=features, allow_code=allow_code, tell=mended.append)
        data = open_data(made.folder)
        own = {f"arms.{i}": arm for i, arm in enumerate(recipe.arms) if _features(recipe, arm) == features}
        inputs |= {arm.name: made for arm in own.values()}
        for key, arm in own.items():
            arrays[arm.name] = prepare_arrays(
                recipe, market, made.folder, arm, key, allow_code=allow_code, tell=mended.append
            )
        jobs += plan_jobs(
            data,
            own.values(),
            folds(data.dates, recipe.plan, made.reach),
            recipe.plan,
            recipe.fit,
            inputs=made.inputs,
            label=made.label,
            keys=list(own),
            parts={arm.name: open_parts(arrays[arm.name].parts) for arm in own.values()},
            allow_code=allow_code,
        )
    order = [arm.name for arm in recipe.arms]
    jobs.sort(key=lambda job: (job.fold.test.start, order.index(job.arm.name)))  # stable: seeds stay as they are
    sizes = [int(np.asarray(data.batch[window.train[:: recipe.plan.every]]).sum()) for window in windows]
    short = cut_short(market.panel.dates, recipe.plan)
    return Planned(jobs, inputs, arrays, max(sizes), () if short is None else (short,), tuple(mended))


def _features(recipe: Recipe, arm: Arm) -> Kind:
    return arm.features or recipe.features


def _check_published(recipe: Recipe) -> None:
    """The published numbers that a recipe names exist."""
    for i, arm in enumerate(recipe.arms):
        if arm.published is not None and arm.published not in references():
            raise RecipeError(
                f"no published numbers {arm.published!r}: {choices(arm.published, references())}",
                key=f"arms.{i}.published",
            )


def dry_run(
    recipe: Recipe, market: Market, out: Path, *, workers: int = 1, device: str = "cpu", allow_code: bool = False
) -> dict[str, Any]:
    """Check a recipe against a market and say what `run` would do: jobs with their keys, size of the largest epoch, and
    what is left to train at most, from a few measured steps of each arm."""
    device_of(device)
    recipe = with_market_names(recipe, market)
    folder = RunFolder(out / recipe.name)
    planned = plan(recipe, market, folder.jobs, allow_code=allow_code)
    expected = estimate(
        planned.jobs, planned.arrays, folder.jobs, workers=workers, device=device, allow_code=allow_code
    )
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
            "arms": {name: _cost(cost) for name, cost in expected.arms.items()},
        },
    }


def _cost(cost: Cost) -> dict[str, float]:
    """An arm's measured cost, in milliseconds of a core."""
    return {
        "stocks": cost.stocks,
        "step_ms": round(1e3 * cost.step, 1),
        "score_ms": round(1e3 * cost.score, 1),
        "statistics_ms": round(1e3 * cost.statistics, 1),
    }


def run(
    recipe: Recipe,
    market: Market,
    out: Path,
    *,
    workers: int = 1,
    device: str = "cpu",
    console: Console | None = None,
    edges: bool = False,
    allow_code: bool = False,
    language: str = "en",
) -> RunFolder:
    """Train, score, test, enhance and report; goes on where an earlier call stopped.

    Parameters
    ----------
    out : the runs folder; the run lies in ``out/<recipe name>``, trained jobs in ``out/jobs``.
    workers : processes that train, of one thread each; 0 = in this process. Numbers don't depend on it.
    device : where networks are computed, "cpu" or "cuda"; on another one numbers differ by rounding.
    edges : write who was related to whom, too, for arms with a graph.
    language : "en" or "zh", the one that the page shows first.

    Raises
    ------
    UserError
        what the recipe or the market lacks.
    Interrupted
        stopped; the same call goes on.
    """
    device_of(device)  # before anything is made
    recipe = with_market_names(recipe, market)
    folder = RunFolder(out / recipe.name)
    stages = Stages()
    with stages.stage("inputs"):  # first: a recipe that doesn't fit the market leaves an earlier run as it was
        planned = plan(recipe, market, folder.jobs, allow_code=allow_code)
    remove_litter(folder.path)
    write_json(folder.recipe, recipe.model_dump(mode="json"))
    console = Logged(console or Silent(), folder.log)
    done = sum(is_done(folder.jobs, job) for job in planned.jobs)
    console.say(f"{recipe.name}: {len(planned.jobs)} jobs, {done} done before, {workers} workers")
    for text in (*planned.mended, *planned.said):
        console.say(text)
    with stages.stage("training"):
        train(planned, folder.jobs, workers, console, device=device, allow_code=allow_code)
    with stages.stage("scores"):
        scores = collect(planned.jobs, folder.jobs, market.panel.dates, market.panel.symbols)
        for arm, found in scores.items():
            _write_arm(folder, arm, found, planned, edges=edges, allow_code=allow_code)
        ensembles = {arm: found.ensemble for arm, found in scores.items()}
        combined = combine_arms(folder, recipe.combinations, ensembles, market)
        scores |= {name: ArmScores(ensemble, {}) for name, ensemble in combined.items()}
        ensembles |= combined
    batch, sets = batch_of(recipe, market), StyleSets(market)
    style_set = sets.of(recipe.styles)
    possible, left_out = with_known_prices(recipe.test, market.panel)
    recipe = recipe.model_copy(update={"test": possible})
    warnings = [*market.warnings(), *absent_styles(recipe.styles, style_set), *planned.said, *left_out]
    with stages.stage("factor tests"):
        tested = [(recipe.styles.kind, style_set), *sets.others(recipe.styles)]
        for arm, found in scores.items():
            _test_arm(folder, recipe, market, arm, found, batch, tested)
            console.say(f"tested {arm}")
        write_json(folder.path / "model_correlation.json", model_correlation(ensembles, batch))
        write_json(folder.path / "paired.json", paired_differences([load_arm(folder, arm) for arm in scores]))
        compare_with_oracle(folder, recipe.test, market, ensembles, batch)
    with stages.stage("portfolios"):
        for portfolio in recipe.portfolios:
            kind = load_constraints(portfolio).styles or recipe.styles
            styles = sets.of(kind)
            warnings += [text for text in absent_styles(kind, styles) if text not in warnings]
            for arm in portfolio.arms or recipe.scored:
                place = folder.portfolio(arm, portfolio.index, portfolio.constraints)
                backtest_to(place, market, ensembles[arm], styles.exposures, portfolio, batch, console)
    write_environment(folder.environment, market.account(), warnings, stages, kernel=kernel_in_use(), device=device)
    report_run(folder, language)
    console.say(f"report: {folder.report}")
    return folder


def train(
    planned: Planned,
    jobs_folder: Path,
    workers: int,
    console: Console,
    *,
    device: str = "cpu",
    allow_code: bool = False,
) -> None:
    """Run what is not done, showing each worker's job and the time left."""
    run_jobs(
        planned.jobs,
        planned.arrays,
        jobs_folder,
        workers=workers,
        progress=_Watch(console),
        device=device,
        allow_code=allow_code,
    )


class _Watch:
    """Turns the events of training into progress and lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.rank_ic: dict[str, float] = {}  # of each job's last epoch

    def __call__(self, event: Progress) -> None:
        if event.phase in ("done", "skip"):
            self.console.finish(event.job)
            best = "" if event.valid_rank_ic is None else f", best validation RankIC {event.valid_rank_ic:.4f}"
            self.console.say(f"{event.job}: {'done' if event.phase == 'done' else 'was done before'}{best}")
            return
        if event.phase == "damaged":
            self.console.say(f"{event.job}: {event.note}: done again")
            return
        if event.phase == "validate" and event.valid_rank_ic is not None:
            self.rank_ic[event.job] = event.valid_rank_ic
            self.console.say(
                f"{event.job}: epoch {event.epoch}/{event.epochs}, loss {event.loss:.4f}, "
                f"validation RankIC {event.valid_rank_ic:.4f}"
            )
        done, total = _share(event)
        note = f"{event.phase} {event.step}/{event.steps}"
        if event.phase == "train":
            note = f"epoch {event.epoch}/{event.epochs}, loss {event.loss:.4f}"
            note += f", RankIC {self.rank_ic[event.job]:.4f}" if event.job in self.rank_ic else ""
        self.console.progress(event.job, done, total, note)


def _share(event: Progress) -> tuple[float, float]:
    """Epochs done of all, with prediction as one more."""
    total = float(max(event.epochs, 1) + 1)
    if event.phase == "predict":
        return total - 1 + event.step / max(event.steps, 1), total
    inside = event.step / max(event.steps, 1) if event.phase in ("gather", "train") else 1.0
    return max(event.epoch - 1, 0) + inside, total


def _write_arm(
    folder: RunFolder, name: str, scores: ArmScores, planned: Planned, *, edges: bool, allow_code: bool
) -> None:
    place = folder.arm(name)
    write_scores(place / "scores.parquet", scores.ensemble)
    for seed, values in scores.seeds.items():
        write_scores(place / f"scores_seed{seed}.parquet", values)
    jobs = [job for job in planned.jobs if job.arm.name == name]
    data, label = open_data(planned.arrays[name]), planned.inputs[name].whole_label
    write_json(place / "model_card.json", model_card(jobs, data, label, allow_code=allow_code))
    write_json(place / "training.json", training_record(jobs, folder.jobs))
    if edges and data.parts.graph is not None:
        tests = [job.fold.test for job in jobs]
        days = range(min(test.start for test in tests), max(test.stop for test in tests))
        write_edges(place / "edges.parquet", data.parts.graph, data.symbols, days)


def _test_arm(
    folder: RunFolder,
    recipe: Recipe,
    market: Market,
    name: str,
    scores: ArmScores,
    batch: Bools,
    styles: Sequence[tuple[str, Styles]],
) -> None:
    panel, universe = market.panel, market.universe
    report = test_factor(scores.ensemble, panel, universe, recipe.test, batch=batch, styles=styles)
    seeds: tuple[FactorReport, ...] = ()
    if len(scores.seeds) > 1:
        alone = recipe.test.model_copy(update={"groups": {}, "other_groups": 0, "tops": (), "decay": 0})
        seeds = tuple(
            test_factor(replace(values, name=name), panel, universe, alone, batch=batch, seed=seed)
            for seed, values in scores.seeds.items()
        )
    write_factor_test(folder.arm(name), report, seeds)
