"""The main job on a simulated market, from nothing to a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypedDict

from deepfactor.backtest.records import SummaryFile
from deepfactor.core.files import write_json
from deepfactor.evaluation.records import FactorFile, Number, OracleFile
from deepfactor.pipeline.console import Console, Silent
from deepfactor.pipeline.experiment import run
from deepfactor.pipeline.markets import open_market, simulate
from deepfactor.pipeline.places import require_outside
from deepfactor.recipe import Recipe, load_recipe
from deepfactor.report.content import pick
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_json
from deepfactor.sources.simulated import Settings
from deepfactor.store.folder import MarketFolder


class DemoPortfolio(TypedDict):
    """Net excess a year over the price index, and tracking error."""

    annual_excess_net: Number
    tracking_error: Number


class DemoFile(TypedDict):
    """``demo.json``: the page, 10-day RankIC of each network and the oracle over `all` (convention t1_close)."""

    report: str
    rank_ic: dict[str, Number]
    enhanced: DemoPortfolio
    seconds: float


def demo(out: Path, workers: int, console: Console | None = None, recipe: Recipe | None = None) -> DemoFile:
    """Simulate a market under `out`, run the recipe ``demo`` on it, and write ``demo.json``; returns its content."""
    console = console or Silent()
    require_outside(out)
    start = time.perf_counter()
    recipe = recipe or load_recipe("demo")
    market = out / "market"
    settings = Settings()
    if not holds(market, settings):
        simulate(market, settings, console)
    folder = run(recipe, open_market(market, console), out / "runs", workers=workers, console=console)
    content = _result(folder, recipe, round(time.perf_counter() - start, 1))
    write_json(out / "demo.json", content)
    return content


def holds(market: Path, settings: Settings) -> bool:
    """Whether `market` is this simulated market, from an earlier demo."""
    if not (market / "manifest.json").is_file():
        return False
    return MarketFolder.open(market).manifest.source.get("settings") == settings.model_dump(mode="json")


def _result(folder: RunFolder, recipe: Recipe, seconds: float) -> DemoFile:
    networks = [(arm.scorer.named, arm.name) for arm in recipe.arms if arm.network is not None]
    rank_ic = {kind: _rank_ic(read_json(folder.arm(name) / "factor_report.json")) for kind, name in networks}
    rank_ic["oracle"] = _rank_ic(read_json(folder.path / "oracle.json"))
    summary: SummaryFile = read_json(folder.portfolios(read_json(folder.recipe))[-1] / "summary.json")
    whole = summary["all"]
    return {
        "report": str(folder.report),
        "rank_ic": rank_ic,
        "enhanced": {"annual_excess_net": whole["excess"], "tracking_error": whole["tracking_error"]},
        "seconds": seconds,
    }


def _rank_ic(report: FactorFile | OracleFile) -> Number:
    """Mean daily RankIC at 10 days over `all`, the ensemble's."""
    record = pick(report["records"], "all", 10, "t1_close")
    if record is None:
        raise KeyError("the demo's recipe tests no 10-day RankIC over all names")
    return record["rank_ic"]["mean"]
