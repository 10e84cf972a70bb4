"""One index-enhanced backtest of scores under a constraint set, to files; with what-ifs beside where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfactor.backtest.attribution import attribute
from deepfactor.backtest.loop import BacktestSettings, Enhancer, run_backtest
from deepfactor.backtest.performance import summary as summarise
from deepfactor.backtest.result import BacktestResult
from deepfactor.core.files import write_json
from deepfactor.panel.panel import Bools, Floats
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.markets import Market
from deepfactor.pipeline.what_if import Watched, entry
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement
from deepfactor.portfolio.what_if import Scenario
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.runs.results import write_backtest


def backtest_to(
    place: Path,
    market: Market,
    scores: Scores,
    styles: Mapping[str, Floats],
    portfolio: Portfolio,
    eligible: Bools,
    console: Console,
    scenarios: Sequence[Scenario] = (),
) -> dict[str, Any]:
    """Backtest `scores` and write the result to the folder `place`; returns the summary.

    With `scenarios` each is solved and followed too, and ``what_if.json`` beside the summary shows what they change;
    the summary then has its entries as ``what_if``.
    """
    preset = load_constraints(portfolio)
    write_json(place / "constraints.json", preset.model_dump(mode="json"))
    study, key = Path(portfolio.constraints).stem, f"backtest {scores.name} on {portfolio.index}"

    def follow(enhancement: Enhancement, enhancer: Enhancer, what: str) -> BacktestResult:
        bought = eligible & ~market.universe.st if "st" in enhancement.exclude else eligible
        result = run_backtest(
            market.panel,
            market.universe,
            scores,
            styles,
            enhancer,
            portfolio.index,
            BacktestSettings(
                capital=portfolio.capital,
                fill=enhancement.fill,
                costs=enhancement.costs,
                haircut=enhancement.haircut,
            ),
            eligible=bought,
            progress=lambda done, total: console.progress(what, done, total, "days"),
        )
        console.finish(what)
        return result

    base = Watched(IndexEnhancer(preset), [IndexEnhancer(one.enhancement) for one in scenarios])
    result = follow(preset, base, key)
    attribution = attribute(result, market.panel, market.universe, styles, preset.haircut)
    summary = write_backtest(place, result, study, attribution)
    whole = summary["all"]
    excess, deviation = percent(whole["excess"]), percent(whole["tracking_error"])
    console.say(f"{key}, {portfolio.constraints}: excess {excess}, tracking error {deviation}")
    if not scenarios:
        return summary
    entries = [entry(None, base.own.means(), base.own.means(), summary)]
    for scenario, same_books in zip(scenarios, base.others, strict=True):
        own = Watched(IndexEnhancer(scenario.enhancement))
        result = follow(scenario.enhancement, own, f"{key}, {scenario.text}")
        statistics = summarise(result, "study_a" if study == "study_a" else "study_b")
        entries.append(entry(scenario, same_books.means(), own.own.means(), statistics))
    content = {"factor": scores.name, "index": portfolio.index, "constraints": study, "scenarios": entries}
    write_json(place / "what_if.json", content)
    return {**summary, "what_if": entries}


def percent(value: float | None) -> str:
    """Like ``+3.21 %``; ``not defined`` where there is none."""
    return "not defined" if value is None else f"{value:+.2%}".replace("%", " %")
