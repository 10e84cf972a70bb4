"""One index-enhanced backtest of scores under a constraint set, to files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfactor.backtest.attribution import attribute
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.core.files import write_json
from deepfactor.market.fees import Costs
from deepfactor.panel.panel import Bools, Floats
from deepfactor.panel.scores import Scores
from deepfactor.pipeline.console import Console
from deepfactor.pipeline.markets import Market
from deepfactor.portfolio.enhancer import IndexEnhancer
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
) -> dict[str, Any]:
    """Backtest `scores` and write the result to the folder `place`; returns the summary."""
    preset = load_constraints(portfolio)
    settings = BacktestSettings(
        capital=portfolio.capital, fill=preset.fill, costs=Costs(kind="flat", rate=preset.cost_rate)
    )
    write_json(place / "constraints.json", preset.model_dump(mode="json"))
    key = f"backtest {scores.name} on {portfolio.index}"
    result = run_backtest(
        market.panel,
        market.universe,
        scores,
        styles,
        IndexEnhancer(preset),
        portfolio.index,
        settings,
        eligible=eligible,
        progress=lambda done, total: console.progress(key, done, total, "days"),
    )
    console.finish(key)
    attribution = attribute(result, market.panel, market.universe, styles, settings.haircut)
    summary = write_backtest(place, result, Path(portfolio.constraints).stem, attribution)
    whole = summary["all"]
    excess, deviation = percent(whole["excess"]), percent(whole["tracking_error"])
    console.say(f"{key}, {portfolio.constraints}: excess {excess}, tracking error {deviation}")
    return summary


def percent(value: float | None) -> str:
    """Like ``+3.21 %``; ``not defined`` where there is none."""
    return "not defined" if value is None else f"{value:+.2%}".replace("%", " %")
