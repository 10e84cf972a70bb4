"""The index page of a runs folder: a line a run, from the runs' own ``report.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import quote

from deepfactor.core.words import Text, joined
from deepfactor.report.press.facts import span
from deepfactor.report.press.html import document
from deepfactor.report.press.tables import NOT_RUN, Cell, Table, defined, label_cells, make
from deepfactor.report.press.words import words
from deepfactor.runs.environment import MarketRecord


class Named(TypedDict):
    """An arm of a report."""

    name: str


class RunReport(TypedDict, total=False):
    """What this page reads of a ``report.json``; a table's rows have a value a column."""

    simulated: bool
    arms: list[Named]
    market: MarketRecord
    cautions: list[str]
    test_spans: list[list[str]]
    tables: Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class RunLine:
    """One run: its folder's name, the day (ISO) its report was written, its ``report.json``; None = it is damaged."""

    name: str
    made: str
    report: RunReport | None


def render_runs(runs: Sequence[RunLine], language: str = "en") -> str:
    """One HTML file in both languages; links lead to the runs' reports beside it."""
    table = runs_table(runs)
    metrics = [] if table is None else defined([table])
    return document("runs.html.j2", language, runs=table, metrics=metrics)


def beside(name: str) -> str:
    """The address of a run's report, from the page of its runs folder."""
    return f"{quote(name)}/report.html"


def runs_table(runs: Sequence[RunLine], address: Callable[[str], str] = beside) -> Table | None:
    """A row a run: market, test span, arms and the best of its headline numbers; `address` is where a name leads."""
    rows = [_row(run, address(run.name)) for run in runs]
    columns = ("run", "market", "test_span", "arms_count", "rank_ic_10", "icir_10", "top_excess", "portfolio_excess",
               "information_ratio", "warnings_count", "made")  # fmt: skip
    return make(
        "runs",
        Text("Runs", "运行一览"),
        columns,
        rows,
        Text(
            "Of several arms or portfolios the best number stands here: a choice made after the fact, not a forecast.",
            "多个模型或组合时列其中最优值：属事后选择，并非预期。",
        ),
    )


def _row(run: RunLine, address: str) -> tuple[Cell, ...]:
    """A run's cells; of one whose report can't be read they say so."""
    link, made = Cell(run.name, link=address), label_cells(run.made)
    try:
        cells = None if run.report is None else _cells(run.report)
    except (LookupError, TypeError, ValueError, AttributeError):
        cells = None
    if cells is None:
        damaged = Text("its report.json is damaged: make the report again", "report.json已损坏，请重新生成报告")
        cells = (*label_cells(damaged, "–", "–"), *[Cell(None, "ic", missing=damaged)] * 6)
    return (link, *cells, *made)


def _cells(report: RunReport) -> tuple[Cell, ...]:
    tables = report.get("tables", {})
    factor, enhanced = tables.get("headline_factor", ()), tables.get("headline_portfolio", ())
    names = [arm["name"] for arm in report.get("arms", ())]
    own = [row for row in factor if row.get("arm") in names]
    return (
        *label_cells(_market(report), _span(report), ", ".join(names)),
        _best(own, "rank_ic_10", "ic"),
        _best(own, "icir_10", "ratio"),
        _best(own, "top_excess", "signed_percent"),
        _best(enhanced, "excess", "signed_percent"),
        _best(enhanced, "information_ratio", "ratio"),
        Cell(len(report.get("cautions", ())), "count"),
    )


def _market(report: RunReport) -> Text:
    raw = str(report.get("market", {}).get("source", "–"))
    return Text("Simulated market", "模拟市场") if report.get("simulated") else words().name(raw)


def _span(report: RunReport) -> Text:
    spans = [span(s) for s in report.get("test_spans", ())]
    return joined(", ", spans) if spans else Text("–")


def _best(rows: Sequence[Mapping[str, Any]], key: str, style: str) -> Cell:
    """The highest of a column; missing where no row has it."""
    values = [row[key] for row in rows if row.get(key) is not None]
    return Cell(max(values, default=None), style, missing=NOT_RUN)
