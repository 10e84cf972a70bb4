"""From the files of a run to its page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.files import atomic_path, write_json, write_text
from deepfactor.core.words import Sentence
from deepfactor.pipeline.attempts import Attempts
from deepfactor.pipeline.console import Console, Silent
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.making import Lost
from deepfactor.report.page import page_of, render, render_workbook, report_json, with_missing
from deepfactor.report.runs_page import RunLine, render_runs
from deepfactor.runs.environment import EnvironmentFile
from deepfactor.runs.failures import Failure, read_failures
from deepfactor.runs.layout import RecipeFile, RunFolder
from deepfactor.runs.results import read_frame, read_json
from deepfactor.runs.written import blamed, is_there, reading_results, renew_checksums

#: Stages that are tried again with every page.
_PAGES = ("page", "workbook")
_WRITTEN = ("report.html", "report.json", "report.xlsx")
_ABSENT = Sentence("is not there: repeat the command that makes it", "不存在，请重新运行生成它的命令")

Content = TypeVar("Content")


def report_run(folder: RunFolder, language: str = "en", console: Console | None = None) -> Path:
    """Write a run's ``report.html``, ``report.json`` and ``report.xlsx`` from what is on disk; returns the page's path.

    The page holds English and Chinese; `language` (``en``, ``zh``) is the one shown first. It names what of the run is
    missing, and so does ``failures.json``. A trained run's index page, ``index.html`` of the runs folder, is made anew.
    """
    content = load_content(folder)
    missing = [one for one in content.missing if one.stage not in _PAGES]
    attempts = Attempts(folder, console or Silent(), missing)
    with reading_results(folder.path):
        write_report(folder, replace(content, missing=tuple(missing)), language, attempts)
    renew_checksums(folder.path, _WRITTEN)
    if "plan" in content.recipe:
        with attempts.attempt("page", "index.html"):
            write_index(folder.path.parent, language)
    attempts.write()
    renew_checksums(folder.path, (folder.failures.name,))
    return folder.report


def write_report(folder: RunFolder, content: RunContent, language: str, attempts: Attempts | None = None) -> None:
    """The three files of a report. With `attempts`, parts of the page that can't be made are noted there, and the page
    goes without them; else they end it."""
    lost: list[Lost] | None = None if attempts is None else []
    page = page_of(content, lost)
    sheet = folder.path / "report.xlsx"
    if attempts is None:
        _write_workbook(sheet, render_workbook(content, page))
    else:
        for one in lost or ():
            attempts.note("page", one.part.replace("_", " "), blamed(one.error, folder.path))
        content = replace(content, missing=tuple(attempts.failed))
        page = with_missing(page, content)
        with attempts.attempt("workbook", sheet.name, sheet), reading_results(folder.path):
            _write_workbook(sheet, render_workbook(content, page))
        content = replace(content, missing=tuple(attempts.failed))
        page = with_missing(page, content)
    write_json(folder.path / "report.json", report_json(content, page))
    write_text(folder.report, render(content, language, page))


def _write_workbook(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_index(runs: Path, language: str = "en") -> Path:
    """Write ``index.html`` of a runs folder: a line a run that has a report, the newest first."""
    write_text(runs / "index.html", render_runs(run_lines(runs.glob("*/report.json")), language))
    return runs / "index.html"


def run_lines(reports: Iterable[Path]) -> list[RunLine]:
    """What an index page says of runs, by their ``report.json``; the newest first."""
    dated = []
    for path in reports:
        made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        try:
            report = read_json(path)
        except DataError:
            report = None
        dated.append((made, RunLine(path.parent.name, made.date().isoformat(), report)))
    dated.sort(key=lambda item: (item[0], item[1].name), reverse=True)
    return [line for _, line in dated]


def load_content(folder: RunFolder) -> RunContent:
    """The results of a run, as the report takes them; `missing` says what isn't there, or damaged, and why."""
    with reading_results(folder.path):
        return _load_content(folder)


def _load_content(folder: RunFolder) -> RunContent:
    recipe: RecipeFile = read_json(folder.recipe)
    environment: EnvironmentFile = read_json(folder.environment)
    missing = list(read_failures(folder))
    oracle, correlation, paired, portfolio_pairs, trials = (
        _optional(missing, stage, folder.path / f"{stage}.json")
        for stage in ("oracle", "model_correlation", "paired", "paired_portfolios", "trials")
    )
    arms = _there(
        missing,
        "factor_test",
        {arm["name"]: partial(load_arm, folder, arm["name"], arm.get("published")) for arm in folder.scored(recipe)},
    )
    portfolios = _there(
        missing,
        "portfolio",
        {_label(path): partial(_portfolio, path, missing) for path in folder.portfolios(recipe)},
    )
    return RunContent(
        name=recipe["name"],
        title=recipe["title"],
        recipe=recipe,
        environment=environment,
        arms=arms,
        portfolios=portfolios,
        oracle=oracle,
        warnings=tuple(environment["warnings"]),
        correlation=correlation,
        paired=tuple(paired or ()),
        paired_portfolios=tuple(portfolio_pairs or ()),
        trials=tuple(trials or ()),
        missing=tuple(missing),
    )


def _optional(missing: list[Failure], stage: str, file: Path) -> Any:
    """A result that not every run has; None where there is none, or a damaged one, which is added to `missing`."""
    try:
        return read_json(file) if is_there(file) else None
    except DataError as error:
        missing.append(Failure(stage.removeprefix("model_"), file.name, str(error), 2))
        return None


def _there(missing: list[Failure], stage: str, parts: Mapping[str, Callable[[], Content]]) -> tuple[Content, ...]:
    """The parts of a stage that can be read; one that can't, and isn't known to be missing, is added to `missing`."""
    read = []
    for what, load in parts.items():
        try:
            read.append(load())
        except DataError as error:
            if not any(one.stage in (stage, "scores", "combination") and one.what == what for one in missing):
                missing.append(Failure(stage, what, str(error), 2))
    return tuple(read)


def _label(path: Path) -> str:
    return RunFolder.portfolio_label(path.parent.parent.name, path.parent.name, path.name)


def load_arm(folder: RunFolder, name: str, published: str | None = None) -> ArmContent:
    """One arm's results, as the report takes them.

    Raises
    ------
    DataError
        it was not tested, or a file is broken.
    """
    place = folder.arm(name)
    _require(place / "factor_report.json")
    card, training = place / "model_card.json", place / "training.json"
    residual = place / "residual_ic_series.parquet"
    series = read_frame(place / "ic_series.parquet").filter(pl.col("names") == "all")
    return ArmContent(
        name=name,
        published=published,
        model_card=read_json(card) if is_there(card) else {},
        training=read_json(training) if is_there(training) else {},
        factor_report=read_json(place / "factor_report.json"),
        ic_series=series,
        group_nav=read_frame(place / "group_nav.parquet"),
        residual_series=read_frame(residual) if is_there(residual) else None,
    )


def _require(file: Path) -> None:
    if not file.is_file():
        raise DataError(_ABSENT, file=file)


def _last(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table's last day."""
    return frame.filter(pl.col("date") == pl.col("date").max())


def _frame(file: Path) -> pl.DataFrame | None:
    """A table that earlier versions didn't write."""
    return read_frame(file) if is_there(file) else None


def _portfolio(path: Path, missing: list[Failure]) -> PortfolioContent:
    _require(path / "summary.json")
    summary = read_json(path / "summary.json")
    risk, trades = path / "risk.json", read_frame(path / "trades.parquet")
    attribution, exposures, weights, rebalances = (
        _frame(path / f"{name}.parquet") for name in ("attribution", "exposures", "weights", "rebalances")
    )
    placebo, seeds = (_optional(missing, name, path / f"{name}.json") for name in ("placebo", "seeds"))
    return PortfolioContent(
        arm=path.parent.parent.name,
        index=path.parent.name,
        constraints=path.name,
        summary=summary,
        nav=read_frame(path / "nav.parquet"),
        relaxations=read_frame(path / "relaxations.parquet"),
        rejected=summary.get("rejected", {}),
        trades=trades.height,
        attribution=attribution,
        weights=None if weights is None else _last(weights.drop_nulls("realised_weight")),  # the last may not be filled
        filled=_last(trades.filter(pl.col("reason") == "rebalance")),
        exposures=exposures,
        rebalances=rebalances,
        risk=read_json(risk) if is_there(risk) else None,
        placebo=placebo,
        seeds=seeds,
    )
