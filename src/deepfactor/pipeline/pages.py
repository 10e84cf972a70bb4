"""From the files of a run to its page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from deepfactor.core.files import atomic_path, write_json, write_text
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.page import render, report_json
from deepfactor.report.runs_page import RunLine, render_runs
from deepfactor.report.workbook import workbook
from deepfactor.runs.layout import RunFolder
from deepfactor.runs.results import read_frame, read_json


def report_run(folder: RunFolder, language: str = "en") -> Path:
    """Write a run's ``report.html``, ``report.json`` and ``report.xlsx`` from what is on disk; returns the page's path.

    The page holds English and Chinese; `language` (``en``, ``zh``) is the one shown first. A trained run's index page,
    ``index.html`` of the runs folder, is made anew.
    """
    write_report(folder, load_content(folder), language)
    if "plan" in read_json(folder.recipe):
        write_index(folder.path.parent, language)
    return folder.report


def write_report(folder: RunFolder, content: RunContent, language: str) -> None:
    """The three files of a report."""
    write_text(folder.report, render(content, language))
    write_json(folder.path / "report.json", report_json(content))
    with atomic_path(folder.path / "report.xlsx") as temporary:
        temporary.write_bytes(workbook(content))


def write_index(runs: Path, language: str = "en") -> Path:
    """Write ``index.html`` of a runs folder: a line a run that has a report, the newest first."""
    found = []
    for path in runs.glob("*/report.json"):
        made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        found.append((made, RunLine(path.parent.name, made.date().isoformat(), read_json(path))))
    found.sort(key=lambda item: (item[0], item[1].name), reverse=True)
    write_text(runs / "index.html", render_runs([line for _, line in found], language))
    return runs / "index.html"


def load_content(folder: RunFolder) -> RunContent:
    """The results of a run, as the report takes them."""
    recipe = read_json(folder.recipe)
    environment = read_json(folder.environment)
    oracle, correlation, paired = (folder.path / f"{name}.json" for name in ("oracle", "model_correlation", "paired"))
    return RunContent(
        name=recipe["name"],
        title=recipe["title"],
        recipe=recipe,
        environment=environment,
        arms=tuple(load_arm(folder, arm["name"], arm.get("published")) for arm in folder.scored(recipe)),
        portfolios=tuple(_portfolio(path) for path in folder.portfolios(recipe)),
        oracle=read_json(oracle) if oracle.is_file() else None,
        warnings=tuple(environment["warnings"]),
        correlation=read_json(correlation) if correlation.is_file() else None,
        paired=tuple(read_json(paired)) if paired.is_file() else (),
    )


def load_arm(folder: RunFolder, name: str, published: str | None = None) -> ArmContent:
    """One arm's results, as the report takes them."""
    place = folder.arm(name)
    card, training = place / "model_card.json", place / "training.json"
    residual = place / "residual_ic_series.parquet"
    series = read_frame(place / "ic_series.parquet").filter(pl.col("names") == "all")
    return ArmContent(
        name=name,
        published=published,
        model_card=read_json(card) if card.is_file() else {},
        training=read_json(training) if training.is_file() else {},
        factor_report=read_json(place / "factor_report.json"),
        ic_series=series,
        group_nav=read_frame(place / "group_nav.parquet"),
        residual_series=read_frame(residual) if residual.is_file() else None,
    )


def _portfolio(path: Path) -> PortfolioContent:
    summary = read_json(path / "summary.json")
    attribution = path / "attribution.parquet"
    return PortfolioContent(
        arm=path.parent.parent.name,
        index=path.parent.name,
        constraints=path.name,
        summary=summary,
        nav=read_frame(path / "nav.parquet"),
        relaxations=read_frame(path / "relaxations.parquet"),
        rejected=summary.get("rejected", {}),
        trades=read_frame(path / "trades.parquet").height,
        attribution=read_frame(attribution) if attribution.is_file() else None,
    )
