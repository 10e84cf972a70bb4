"""From the files of a run to its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from deepfactor.core.files import write_json, write_text
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.page import render, report_json
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_frame, read_json


def report_run(folder: RunFolder) -> Path:
    """Write ``report.html`` and ``report.json`` of a run from what is on disk; returns the page's path."""
    content = load_content(folder)
    write_text(folder.report, render(content))
    write_json(folder.path / "report.json", report_json(content))
    return folder.report


def load_content(folder: RunFolder) -> RunContent:
    """The results of a run, as the report takes them."""
    recipe = read_json(folder.recipe)
    environment = read_json(folder.environment)
    oracle, correlation = folder.path / "oracle.json", folder.path / "model_correlation.json"
    return RunContent(
        name=recipe["name"],
        title=recipe["title"],
        recipe=recipe,
        environment=environment,
        arms=tuple(_arm(folder, arm) for arm in recipe["arms"]),
        portfolios=tuple(_portfolio(path) for path in folder.portfolios(recipe)),
        oracle=read_json(oracle) if oracle.is_file() else None,
        warnings=tuple(environment["warnings"]),
        correlation=read_json(correlation) if correlation.is_file() else None,
    )


def _arm(folder: RunFolder, arm: dict[str, Any]) -> ArmContent:
    place = folder.arm(arm["name"])
    card, training = place / "model_card.json", place / "training.json"
    series = read_frame(place / "ic_series.parquet").filter(pl.col("names") == "all")
    return ArmContent(
        name=arm["name"],
        published=arm.get("published"),
        model_card=read_json(card) if card.is_file() else {},
        training=read_json(training) if training.is_file() else {},
        factor_report=read_json(place / "factor_report.json"),
        ic_series=series,
        group_nav=read_frame(place / "group_nav.parquet"),
    )


def _portfolio(path: Path) -> PortfolioContent:
    summary = read_json(path / "summary.json")
    return PortfolioContent(
        arm=path.parent.parent.name,
        index=path.parent.name,
        constraints=path.name,
        summary=summary,
        nav=read_frame(path / "nav.parquet"),
        relaxations=read_frame(path / "relaxations.parquet"),
        rejected=summary.get("rejected", {}),
        trades=read_frame(path / "trades.parquet").height,
    )
