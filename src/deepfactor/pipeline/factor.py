"""Any factor file: `test` it, `enhance` an index with it. No training, so no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from deepfactor.core.arrays import Bools
from deepfactor.core.errors import DataError
from deepfactor.core.files import write_json
from deepfactor.core.words import Sentence
from deepfactor.evaluation.factor_test import FactorReport, TestSettings, test_factor
from deepfactor.evaluation.window import require_scores
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.attempts import Attempts
from deepfactor.pipeline.console import Console, Silent, step
from deepfactor.pipeline.conventions import with_known_prices
from deepfactor.pipeline.enhancing import Enhanced, backtest_to, require_span
from deepfactor.pipeline.markets import Market, StyleSets, absent_styles, style_exposures
from deepfactor.pipeline.names import index_of, named_test
from deepfactor.pipeline.pages import report_run
from deepfactor.pipeline.placebo import FILE as PLACEBO
from deepfactor.pipeline.placebo import ground_of, placebo_to
from deepfactor.pipeline.places import require_outside
from deepfactor.pipeline.risk import risk_wanted
from deepfactor.pipeline.trials import FILE as TRIALS
from deepfactor.pipeline.trials import judged, note, top_trials
from deepfactor.portfolio.what_if import change
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.runs.environment import Stages, write_environment
from deepfactor.runs.factors import Reading, RowAccount, factors_in, read_factor_rows
from deepfactor.runs.layout import RecipeFile, RunFolder
from deepfactor.runs.results import read_json, write_factor_test
from deepfactor.runs.written import reading_results, writing_results
from deepfactor.styles.base import ROOM as STYLES
from deepfactor.training.engines.base import Engine
from deepfactor.training.engines.processes import Processes

_TITLE = Sentence("Factor {name}", "因子{name}")


@dataclass(frozen=True)
class Factor:
    """A factor to work on, who may be scored with it, and what became of its file's rows."""

    scores: Scores
    eligible: Bools
    rows: RowAccount = field(default_factory=RowAccount)


def factor_names(
    path: Path, market: Market, arm: str | None = None, reading: Reading | None = None
) -> tuple[str | None, ...]:
    """The factors that a file holds, a column each; None = one, called as the file or the arm is.

    Raises
    ------
    DataError
        as `open_factor`, but for what the rows hold.
    """
    if path.is_dir() or arm is not None:
        return (None,)
    names = factors_in(path, market.panel, reading or Reading())
    return names if len(names) > 1 else (None,)


def open_factor(
    path: Path, market: Market, arm: str | None = None, reading: Reading | None = None, factor: str | None = None
) -> Factor:
    """A factor file, or an arm of a run's folder (its only one, or `arm`), aligned with a market.

    `reading` says how a file is read, see `deepfactor.runs.factors.read_factor_rows`; `factor` which of several.

    Raises
    ------
    DataError
        the file is wrong (names row and column), or a run's arm is not named rightly.
    """
    reading = reading or Reading()
    if path.is_dir():
        run, name, rule = arm_of(path, arm)
        scores, rows = read_factor_rows(run.scores(name), market.panel, name=name, reading=reading)
        return Factor(scores, market.universe.eligible(rule), rows)
    if arm is not None:
        raise DataError(f"is a file, not a run: it has no arm {arm!r}", file=path)
    scores, rows = read_factor_rows(path, market.panel, name=factor, reading=reading, factor=factor)
    return Factor(scores, market.universe.eligible(UniverseRule()), rows)


def arm_of(path: Path, arm: str | None) -> tuple[RunFolder, str, UniverseRule]:
    """The run in the folder `path`, the name of its `arm` (None = its only one), and who may be scored there.

    Raises
    ------
    DataError
        no run, or its arm is not named rightly.
    """
    run = RunFolder.open(path)
    with reading_results(path):
        recipe: RecipeFile = read_json(run.recipe)
        rule = UniverseRule.model_validate(recipe["universe"])
        names = [entry["name"] for entry in run.scored(recipe)]
    if arm is None and len(names) > 1:
        known = ", ".join(names)
        raise DataError(f"the run has the arms {known}: choose one with --arm (combine: RUN:ARM)", file=path)
    if arm is not None and arm not in names:
        raise DataError(f"the run has no arm {arm!r}: it has {', '.join(names)}", file=path)
    return run, arm or names[0], rule


def with_known_universes(settings: TestSettings, market: Market) -> TestSettings:
    """The same settings, less the indices that the market has no members of."""
    known = ("all", "every", *market.universe.members)
    return settings.model_copy(update={"universes": tuple(name for name in settings.universes if name in known)})


def test(
    factor: Factor,
    market: Market,
    out: Path,
    settings: TestSettings,
    console: Console | None = None,
    language: str = "en",
) -> FactorReport:
    """Test a factor and write ``factor_report.json``, ``ic_series.parquet`` and a page into `out`; `language` (``en``,
    ``zh``) is the one that the page shows first."""
    console = console or Silent()
    require_outside(out)
    settings = named_test(settings, market)
    require_scores(factor.scores, market.panel, settings.start, settings.end)
    settings, left_out = with_known_prices(settings, market.panel)
    for text in left_out:
        console.say(text)
    name = factor.scores.name
    with writing_run(out, (name,), name, {"test": settings.model_dump(mode="json")}, console) as (folder, stages):
        Attempts(folder, console).write()  # nothing has failed yet
        with stages.stage("factor test"), step(console, f"tested {name}"):
            styles = ((kind, style_exposures(STYLES.choose(kind), market)) for kind in STYLES.kinds())
            report = test_factor(
                factor.scores, market.panel, market.universe, settings, eligible=factor.eligible, styles=styles
            )
            write_factor_test(folder.arm(name), report)
        keys = note(market.folder.path, top_trials(factor.scores, report), console)
        write_json(folder.path / TRIALS, judged(market.folder.path, keys, console))
        write_environment(folder.environment, market.account(), [*market.warnings(), *left_out], stages)
    report_of(folder, console, language)
    return report


def enhance(
    factor: Factor,
    market: Market,
    out: Path,
    portfolio: Portfolio,
    console: Console | None = None,
    what_if: Sequence[str] = (),
    language: str = "en",
    *,
    placebo: int = 0,
    workers: int | Engine = 1,
) -> Enhanced:
    """Enhance an index with a factor; writes tables, ``summary.json`` and a page into `out`. Without a summary the
    portfolio failed: `read_failures` of the folder says why.

    Each of `what_if` (``setting=value``, see `portfolio.what_if.change`) is solved and followed too; ``what_if.json``
    beside the summary shows what it changes. `language` is the page's first. `placebo` random scores are followed under
    the same constraints, over `workers` processes or by an engine: ``placebo.json``, see `pipeline.placebo`.
    """
    console = console or Silent()
    require_outside(out)
    portfolio = portfolio.model_copy(update={"index": index_of(portfolio.index, market, "enhance.index")})
    preset = load_constraints(portfolio)  # before the work, not after
    scenarios = tuple(change(preset, text) for text in what_if)
    require_span(market.universe, factor.scores, factor.eligible, portfolio, "enhance")
    content = {"portfolios": [portfolio.model_dump(mode="json")]}
    name = factor.scores.name
    enhanced = Enhanced()
    absent: list[str] = []
    with writing_run(out, (name,), name, content, console) as (folder, stages):
        attempts = Attempts(folder, console)
        with stages.stage("factor test"), attempts.attempt("factor_test", name, *folder.tests(name)):
            write_factor_test(folder.arm(name), _test_beside(factor, market, portfolio))
        place = folder.portfolio(name, portfolio.index, portfolio.constraints)
        label = folder.portfolio_label(name, portfolio.index, portfolio.constraints)
        attempt, said = attempts.attempt("portfolio", label, place), step(console, f"backtest of {label}")
        with stages.stage("portfolio"), attempt, said:
            kind = preset.styles or STYLES.choose("basic")
            styles = StyleSets(market).of(kind)
            absent = absent_styles(kind, styles)
            for text in absent:
                console.say(text)
            risk = risk_wanted(market, kind, styles.exposures, [preset, *(x.enhancement for x in scenarios)], console)
            enhanced = backtest_to(
                place, market, factor.scores, styles.exposures, portfolio, factor.eligible, console, scenarios, risk
            )
        keys = note(market.folder.path, enhanced.trials, console)
        judged_now = judged(market.folder.path, keys[:1], console)
        enhanced = replace(enhanced, judged=tuple(judged_now))
        write_json(folder.path / TRIALS, judged_now)
        if placebo and enhanced.summary is not None:
            with stages.stage("placebo"), attempts.attempt("placebo", label, place / PLACEBO):
                ground = ground_of(market, styles.exposures, portfolio, factor.eligible, enhanced.summary, risk)
                taken = (placebo, console, Processes(workers) if isinstance(workers, int) else workers)
                made = placebo_to(place, market.folder.path, ground, factor.scores, enhanced.summary, *taken)
                enhanced = replace(enhanced, placebo=made)
        attempts.write()
        write_environment(folder.environment, market.account(), [*market.warnings(), *absent], stages)
    report_of(folder, console, language)
    return enhanced


def _test_beside(factor: Factor, market: Market, portfolio: Portfolio) -> FactorReport:
    """The factor's test that stands beside its portfolio."""
    settings = TestSettings(
        universes=("all", portfolio.index),
        horizons=(5, 10, 20),
        conventions=("t1_close",),
        tops=(),
        decay=0,
        start=portfolio.start,
        end=portfolio.end,
    )
    return test_factor(factor.scores, market.panel, market.universe, settings, eligible=factor.eligible)


@contextmanager
def writing_run(
    out: Path, arms: Sequence[str], name: str, settings: Mapping[str, object], console: Console
) -> Iterator[tuple[RunFolder, Stages]]:
    """A run's folder for a factor file, to write results into: an arm a factor, nothing trained; never a trained
    run's."""
    folder = RunFolder(out)
    if folder.recipe.is_file() and _is_trained(folder):
        raise DataError("holds a run, which this would replace: give another --out", file=out)
    stages = Stages.after(folder.environment, console.say)
    recipe = {"name": name, "title": _TITLE.format(name=name), "arms": [{"name": arm} for arm in arms], "universe": {}}
    with writing_results(out):
        write_json(folder.recipe, recipe | dict(settings))
        yield folder, stages


def _is_trained(folder: RunFolder) -> bool:
    try:
        return "plan" in read_json(folder.recipe)
    except (DataError, TypeError) as error:
        raise DataError(f"may hold a trained run ({error}): give another --out", file=folder.path) from None


def report_of(folder: RunFolder, console: Console, language: str) -> None:
    """Make the page of a factor's results, and say where it is."""
    report_run(folder, language, console)
    console.say(f"report: {folder.report}")
