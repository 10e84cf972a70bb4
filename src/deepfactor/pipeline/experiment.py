"""`run`: a recipe on a market, from training to report. Every stage leaves its files; done jobs are not done again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deepfactor.core.arrays import Bools
from deepfactor.core.errors import DataError
from deepfactor.core.files import remove_litter, write_json
from deepfactor.evaluation.character import model_correlation
from deepfactor.evaluation.factor_test import FactorReport, test_factor
from deepfactor.models._kernels import kernel_in_use
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.attempts import Attempts
from deepfactor.pipeline.combining import combine_arms
from deepfactor.pipeline.console import Console, Logged, Silent
from deepfactor.pipeline.conventions import with_known_prices
from deepfactor.pipeline.enhancing import backtest_to
from deepfactor.pipeline.inputs import batch_of
from deepfactor.pipeline.markets import Market, StyleSets, absent_styles
from deepfactor.pipeline.names import with_market_names
from deepfactor.pipeline.oracle import compare_with_oracle
from deepfactor.pipeline.pages import load_arm, report_run
from deepfactor.pipeline.pairs import paired_differences
from deepfactor.pipeline.places import require_outside
from deepfactor.pipeline.planning import Planned, plan
from deepfactor.pipeline.training import train
from deepfactor.recipe import Recipe, load_constraints
from deepfactor.runs.edges import write_edges
from deepfactor.runs.environment import Stages, write_environment
from deepfactor.runs.factors import write_scores
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import check_oracle, oracle_path, write_factor_test
from deepfactor.runs.written import writing_results
from deepfactor.styles.base import Styles
from deepfactor.training.cards import model_card, training_record
from deepfactor.training.data import open_data
from deepfactor.training.device import device_of
from deepfactor.training.ensemble import ArmScores, collect
from deepfactor.training.jobs import is_done


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

    A test, combination, portfolio or part of the page that fails leaves the others alone: `read_failures` of the folder
    says which and why, and so does the page. The same call tries them again.

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
    require_outside(out)
    recipe = with_market_names(recipe, market)
    possible, left_out = with_known_prices(recipe.test, market.panel)
    tested = recipe.model_copy(update={"test": possible})
    folder = RunFolder(out / recipe.name)
    check_oracle(oracle_path(market.folder.path), market.folder.fingerprint)
    lost: list[str] = []
    stages = Stages.after(folder.environment, lost.append)
    with stages.stage("inputs"):  # first: a recipe that doesn't fit the market leaves an earlier run as it was
        planned = plan(recipe, market, folder.jobs, allow_code=allow_code)
    remove_litter(folder.path)
    with writing_results(folder.path):
        write_json(folder.recipe, recipe.model_dump(mode="json"))
        console = Logged(console or Silent(), folder.log)
        done = sum(is_done(folder.jobs, job) for job in planned.jobs)
        console.say(f"{recipe.name}: {len(planned.jobs)} jobs, {done} done before, {workers} workers")
        for text in (*planned.mended, *lost, *planned.said):
            console.say(text)
        with stages.stage("training"):
            train(planned, folder.jobs, workers, console, device=device, allow_code=allow_code)
        attempts = Attempts(folder, console)
        with stages.stage("scores"):
            scores = collect(planned.jobs, folder.jobs, market.panel.dates, market.panel.symbols)
            for arm, found in scores.items():
                _write_arm(folder, arm, found, planned, edges=edges, allow_code=allow_code)
            work = _Work(folder, tested, market, batch_of(recipe, market), StyleSets(market), attempts, console)
            scores |= _combine(work, {arm: found.ensemble for arm, found in scores.items()})
        with stages.stage("factor tests"):
            warnings = _test(work, scores)
        with stages.stage("portfolios"):
            warnings += _enhance(work, scores)
        warnings = [*market.warnings(), *dict.fromkeys(warnings), *planned.said, *left_out]
        write_environment(folder.environment, market.account(), warnings, stages, kernel=kernel_in_use(), device=device)
        attempts.write()
    report_run(folder, language, console)
    console.say(f"report: {folder.report}")
    return folder


@dataclass(frozen=True)
class _Work:
    """What the stages behind training share."""

    folder: RunFolder
    recipe: Recipe
    market: Market
    batch: Bools
    sets: StyleSets
    attempts: Attempts
    console: Console


def _combine(work: _Work, arms: Mapping[str, Scores]) -> dict[str, ArmScores]:
    """The recipe's combinations that can be made."""
    made = {}
    for one in work.recipe.combinations:
        with work.attempts.attempt("combination", one.name, work.folder.arm(one.name)):
            made[one.name] = ArmScores(combine_arms(work.folder, one, arms, work.market), {})
    return made


def _test(work: _Work, scores: Mapping[str, ArmScores]) -> list[str]:
    """Test all that has scores, alone and beside each other; what is to be said of the recipe's styles."""
    recipe, folder, attempts, tested, warnings = work.recipe, work.folder, work.attempts, [], []
    for arm, found in scores.items():
        with attempts.attempt("factor_test", arm, *folder.tests(arm)):
            own = work.sets.of(recipe.styles)
            warnings = absent_styles(recipe.styles, own)
            sets = [(recipe.styles.kind, own), *work.sets.others(recipe.styles)]
            _test_arm(folder, recipe, work.market, arm, found, work.batch, sets)
            tested.append(arm)
            work.console.say(f"tested {arm}")
    correlation, paired, oracle = (folder.path / f"{name}.json" for name in ("model_correlation", "paired", "oracle"))
    ensembles = {arm: found.ensemble for arm, found in scores.items()}
    with attempts.attempt("correlation", ", ".join(scores), correlation):
        write_json(correlation, model_correlation(ensembles, work.batch))
    with attempts.attempt("paired", ", ".join(tested), paired):
        write_json(paired, paired_differences([load_arm(folder, arm) for arm in tested]))
    with attempts.attempt("oracle", ", ".join(scores), oracle):
        compare_with_oracle(folder, recipe.test, work.market, ensembles, work.batch)
    return warnings


def _enhance(work: _Work, scores: Mapping[str, ArmScores]) -> list[str]:
    """The recipe's portfolios, an arm each; what is to be said of their styles."""
    recipe, folder, warnings = work.recipe, work.folder, []
    for portfolio in recipe.portfolios:
        for arm in portfolio.arms or recipe.scored:
            place = folder.portfolio(arm, portfolio.index, portfolio.constraints)
            label = folder.portfolio_label(arm, portfolio.index, portfolio.constraints)
            with work.attempts.attempt("portfolio", label, place):
                if arm not in scores:
                    raise DataError(f"{arm} has no scores: it could not be combined")
                kind = load_constraints(portfolio).styles or recipe.styles
                styles = work.sets.of(kind)
                warnings += absent_styles(kind, styles)
                of = scores[arm].ensemble
                backtest_to(place, work.market, of, styles.exposures, portfolio, work.batch, work.console)
    return warnings


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
