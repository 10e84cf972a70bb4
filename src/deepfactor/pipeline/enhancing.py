"""One index-enhanced backtest of scores under a constraint set, to files; with what-ifs beside where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from deepfactor.backtest.active_risk import ActiveRiskFile, active_risk, risk_record
from deepfactor.backtest.attribution import Attribution, attribute
from deepfactor.backtest.capacity import capacity
from deepfactor.backtest.decision import Enhancer
from deepfactor.backtest.loop import run_backtest
from deepfactor.backtest.performance import summary as summarise
from deepfactor.backtest.placebo import PlaceboFile
from deepfactor.backtest.records import SummaryFile
from deepfactor.backtest.result import BacktestResult
from deepfactor.backtest.span import Cut, followed
from deepfactor.core.arrays import Bools, Floats
from deepfactor.core.errors import DataError, RecipeError
from deepfactor.core.files import write_json
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from deepfactor.panel.weighting import WeightsUsed
from deepfactor.pipeline.backtests import settings_of
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.ground import Ground, ScoresOf
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.trials import portfolio_trial
from deepfactor.pipeline.what_if import Measured, WhatIfEntry, WhatIfFile, entry
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import DEFAULT_DEFINITIONS, Enhancement
from deepfactor.portfolio.what_if import Scenario
from deepfactor.recipe import Portfolio, load_constraints, unchanged_preset
from deepfactor.risk.model import RiskModel
from deepfactor.runs.results import write_backtest, write_risk
from deepfactor.store.trials import Deflated, Trial
from deepfactor.styles.base import StyleSet


@dataclass(frozen=True)
class Enhanced:
    """The summary of a backtest, none where it failed, the entries of ``what_if.json``, the placebo band;
    the trials that it and its what-ifs are, and how it looks among all of the market."""

    summary: SummaryFile | None = None
    what_if: tuple[WhatIfEntry, ...] = ()
    placebo: PlaceboFile | None = None
    trials: tuple[Trial | None, ...] = ()
    judged: tuple[Deflated, ...] = ()


def backtest_to(
    place: Path,
    market: Market,
    scores: Scores,
    styles: Mapping[str, Floats],
    portfolio: Portfolio,
    eligible: Bools,
    console: Console,
    scenarios: Sequence[Scenario] = (),
    risk: RiskModel | None = None,
) -> Enhanced:
    """Backtest `scores` and write the result to the folder `place`; `trials` of what is returned are for the ledger.

    `risk`: the model of `styles`, where the constraints or a scenario's want one (`risk_wanted`). With `scenarios` each
    is solved and followed too, and ``what_if.json`` beside the summary shows what they change.
    """
    preset = load_constraints(portfolio)
    write_json(place / "constraints.json", preset.model_dump(mode="json"))
    key = f"backtest {scores.name} on {portfolio.index}"
    study, stated = preset.definitions or DEFAULT_DEFINITIONS, preset.definitions is not None

    def follow(enhancement: Enhancement, enhancer: Enhancer, what: str) -> BacktestResult:
        result = run_backtest(
            market.panel,
            market.universe,
            scores,
            styles,
            enhancer,
            portfolio.index,
            settings_of(enhancement, portfolio.capital),
            start=_day(portfolio.start),
            end=_day(portfolio.end),
            eligible=buyable(eligible, market.universe, enhancement),
            risk=risk,
            progress=lambda done, total: console.progress(what, done, total, "days"),
        )
        console.finish(what)
        return result

    base = Measured(IndexEnhancer(preset), [IndexEnhancer(one.enhancement) for one in scenarios])
    result = follow(preset, base, key)
    attribution = attribute(result, market.panel, market.universe, styles, preset.haircut)
    summary = write_backtest(
        place,
        result,
        study,
        attribution,
        capacity=capacity(result, market.panel),
        stated=stated,
        preset=unchanged_preset(portfolio),
        constraints=preset.name,
    )
    if (record := _risk(place, market, scores, styles, preset, eligible, risk, result, attribution)) is not None:
        console.say(f"{key}, {portfolio.constraints}: {_risk_line(record)}")
    for line in (*_lines(summary), _weights_line(result.replica_weights)):
        console.say(f"{key}, {portfolio.constraints}: {line}")
    trials = [portfolio_trial(scores, preset, portfolio.capital, result)]
    if not scenarios:
        return Enhanced(summary, trials=tuple(trials))
    entries = [entry(None, base.own.means(), base.own.means(), summary)]
    for scenario, same_books in zip(scenarios, base.others, strict=True):
        own = Measured(IndexEnhancer(scenario.enhancement))
        result = follow(scenario.enhancement, own, f"{key}, {scenario.text}")
        trials.append(portfolio_trial(scores, scenario.enhancement, portfolio.capital, result))
        statistics = summarise(result, study, stated=stated)
        entries.append(entry(scenario, same_books.means(), own.own.means(), statistics))
    content: WhatIfFile = {
        "factor": scores.name,
        "index": portfolio.index,
        "constraints": Path(portfolio.constraints).stem,
        "definition": study,
        "scenarios": entries,
    }
    write_json(place / "what_if.json", content)
    return Enhanced(summary, tuple(entries), trials=tuple(trials))


def backtest_arm(
    place: Path, of: ScoresOf, portfolio: Portfolio, kind: StyleSet, ground: Ground, console: Console
) -> tuple[Trial | None, ...]:
    """Backtest an arm's scores in a run to the folder `place`, with the style set `kind`; the trials that it is."""
    styles = ground.sets.of(kind).exposures
    risk = ground.risk(kind, [load_constraints(portfolio)], console)
    scores = ground.read(of)
    made = backtest_to(place, ground.market, scores, styles, portfolio, ground.eligible, console, risk=risk)
    return made.trials


def _risk(
    place: Path,
    market: Market,
    scores: Scores,
    styles: Mapping[str, Floats],
    preset: Enhancement,
    eligible: Bools,
    model: RiskModel | None,
    result: BacktestResult,
    attribution: Attribution,
) -> ActiveRiskFile | None:
    """Write the forecasts of a backtest whose constraints have a risk model; without one those of an earlier run go."""
    if model is None or preset.of_risk is None:
        for name in ("risk.json", "risk.parquet"):
            (place / name).unlink(missing_ok=True)
        return None
    seen = buyable(eligible, market.universe, preset)
    forecast = active_risk(result, market.panel, market.universe, scores, styles, seen, model)
    record = risk_record(forecast, result, attribution, model.name)
    write_risk(place, forecast.rows, record)
    return record


def buyable(eligible: Bools, universe: Universe, enhancement: Enhancement) -> Bools:
    """(T, N) who may be bought: who is eligible, less those that the constraint set excludes."""
    return eligible & ~universe.st if "st" in enhancement.exclude else eligible


def require_span(universe: Universe, scores: Scores, eligible: Bools, portfolio: Portfolio, key: str) -> None:
    """Refuse, before any work, a portfolio that has nothing to follow; `key` is where it stands in a recipe or command.

    Raises
    ------
    RecipeError
        no score, or no member of its index, on any signal day of its span.
    """
    try:
        span = {"start": _day(portfolio.start), "end": _day(portfolio.end)}
        followed(universe, scores, eligible, portfolio.index, schedule=load_constraints(portfolio).signal, **span)
    except DataError as error:
        asked = portfolio.start is not None or portfolio.end is not None
        raise RecipeError(str(error), key=f"{key}.{'start' if asked else 'index'}") from None


def _day(day: date | None) -> np.datetime64 | None:
    return None if day is None else np.datetime64(day, "D")


def _lines(summary: SummaryFile) -> list[str]:
    """The result of a backtest on a terminal: excess with its definition, and what must not be overlooked."""
    whole = summary["all"]
    named = {"study_a": "Study A", "study_b": "Study B"}[summary["definition"]]
    default = "" if summary["definition_stated"] else ", the default: the constraint set states no definitions"
    lines = [
        f"excess {percent(whole['excess'])}, tracking error {percent(whole['tracking_error'])}",
        f"excess by {named}'s definition{default}: {summary['definition_says']}",
    ]
    counts = summary["counts"]
    if flat := counts.get("signal_days_of_equal_scores"):
        lines.append(f"WARNING: all names have one score on {flat} signal days: no rebalance there")
    if tied := counts.get("rebalances_with_equal_scores"):
        lines.append(
            f"WARNING: on {tied} rebalances a tenth or more of the names have equal scores (within 16 digits of the "
            "largest): which of them are held is the solver's choice, not the factor's"
        )
    if heavy := counts.get("rebalances_with_heavy_tails"):
        lines.append(
            f"WARNING: on {heavy} rebalances the scores have heavy tails (kurtosis of 6 or more): the optimiser buys "
            'what stands far out, mostly noise; score = "winsorised" or "rank" in the constraint file takes them in'
        )
    cuts = [Cut.of(cut).sentence(summary["index"]) for cut in summary["cuts"]]
    return [*lines, *cuts, *(f"WARNING: {text}" for text in summary["warnings"])]


def _risk_line(record: ActiveRiskFile) -> str:
    whole = record["all"]
    return (
        f"forecast tracking error {percent(whole['tracking_error'])[1:]}, realised over the replica "
        f"{percent(whole['realised'])[1:]}"
    )


def _weights_line(used: WeightsUsed) -> str:
    """How the index weights came about, which the excess over the replica and the constraints stand on."""
    flawed = any(kind.startswith("published_") for kind in used.days)
    return f"{'WARNING: ' if flawed else ''}index weights {used.text()}"


def percent(value: float | None) -> str:
    """Like ``+3.21 %``; ``not defined`` where there is none."""
    return "not defined" if value is None else f"{value:+.2%}".replace("%", " %")
