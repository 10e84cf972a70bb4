"""The main job on a simulated market, from nothing to a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from deepfactor.core.files import write_json
from deepfactor.pipeline.console import Console, Silent
from deepfactor.pipeline.experiment import run
from deepfactor.pipeline.markets import open_market, simulate
from deepfactor.pipeline.places import require_outside
from deepfactor.recipe import Recipe, load_recipe
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_json
from deepfactor.sources.simulated import Settings
from deepfactor.store.folder import MarketFolder


def demo(out: Path, workers: int, console: Console | None = None, recipe: Recipe | None = None) -> dict[str, Any]:
    """Simulate a market under `out`, run the recipe ``demo`` on it, and write ``demo.json``; returns its content.

    Returns
    -------
    ``seconds``, ``report`` (path), ``rank_ic`` (10-day RankIC of each network and the oracle over `all`, convention
    t1_close), ``enhanced`` (``annual_excess_net`` over the price index and ``tracking_error``).
    """
    console = console or Silent()
    require_outside(out)
    start = time.perf_counter()
    recipe = recipe or load_recipe("demo")
    market = out / "market"
    settings = Settings()
    if not _holds(market, settings):
        simulate(market, settings, console)
    folder = run(recipe, open_market(market, console), out / "runs", workers=workers, console=console)
    content = _result(folder, recipe) | {"seconds": round(time.perf_counter() - start, 1)}
    write_json(out / "demo.json", content)
    return content


def _holds(market: Path, settings: Settings) -> bool:
    """Whether `market` is this simulated market, from an earlier demo."""
    if not (market / "manifest.json").is_file():
        return False
    return MarketFolder.open(market).manifest.source.get("settings") == settings.model_dump(mode="json")


def _result(folder: RunFolder, recipe: Recipe) -> dict[str, Any]:
    networks = [(arm.scorer.named, arm.name) for arm in recipe.arms if arm.network is not None]
    rank_ic = {kind: _rank_ic(read_json(folder.arm(name) / "factor_report.json")) for kind, name in networks}
    rank_ic["oracle"] = _rank_ic(read_json(folder.path / "oracle.json"))
    whole = read_json(folder.portfolios(read_json(folder.recipe))[-1] / "summary.json")["all"]
    return {
        "report": str(folder.report),
        "rank_ic": rank_ic,
        "enhanced": {"annual_excess_net": whole["excess"], "tracking_error": whole["tracking_error"]},
    }


def _rank_ic(report: dict[str, Any]) -> float | None:
    """Mean daily RankIC at 10 days over `all`, the ensemble's."""
    wanted = {
        "universe": "all",
        "convention": "t1_close",
        "horizon": 10,
        "sampling": "daily",
        "names": "all",
        "seed": None,
    }
    for record in report["records"]:
        if all(record[key] == value for key, value in wanted.items()):
            mean: float | None = record["rank_ic"]["mean"]
            return mean
    raise KeyError("the demo's recipe tests no 10-day RankIC over all names")
