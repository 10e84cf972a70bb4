"""The report: everything that a run left, as one HTML page, as JSON and as a workbook of the same tables and figures.

All are made from the same tables, so they can't differ. None reads a clock: the same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from deepfactor.report.content import RunContent
from deepfactor.report.definition_words import definition_of_portfolio
from deepfactor.report.drawing import Figure
from deepfactor.report.formats import strict
from deepfactor.report.html import document
from deepfactor.report.layout import Page, page_of
from deepfactor.report.tables import Table
from deepfactor.report.words import Metric, joined, words

# What the template asks of a market, whether it has it or not.
_MARKET_LISTS = ("source", "span", "derived", "derived_index_weights", "notes")

FORMAT = 1
"""Version of `report_json`'s shape."""


def render(content: RunContent, language: str = "en", page: Page | None = None) -> str:
    """The page: one self-contained HTML file that needs no network, in both languages; `language` is shown first.

    `page` = `content` laid out already, maybe with parts that are lost; here and below.
    """
    page = page or page_of(content)
    market = content.environment["market"]
    return document(
        "page.html.j2",
        language,
        figures=page.all_figures(),
        page=page,
        content=content,
        title=words().sentence(content.title),
        metrics=defined(page.tables()),
        cautions=page.said.cautions,
        ran=page.said.ran,
        market=dict.fromkeys(_MARKET_LISTS) | dict(market),
        derived=[words().sentence(item) for item in market.get("derived") or ()],
        notes=[words().sentence(item) for item in market.get("notes") or ()],
        derived_indices=joined(", ", [words().universe(i) for i in market.get("derived_index_weights") or ()]),
        market_facts=page.said.market_facts,
        model_cards=page.said.model_cards,
        timeline=page.said.timeline,
        made_with=page.said.made_with,
        recipe=page.said.recipe,
        source=source_line(content),
    )


def report_json(content: RunContent, page: Page | None = None) -> dict[str, Any]:
    """The page's numbers: fractions, missing = null, the study's number under ``<metric>_published``; strict JSON."""
    page = page or page_of(content)
    portfolios = [
        {
            "id": part.id,
            "arm": p.arm,
            "index": p.index,
            "constraints": p.constraints,
            "name": p.named,
            "trades": p.trades,
            "definition": definition_of_portfolio(p),
        }
        for part, p in zip(page.portfolios, content.portfolios, strict=True)
    ]
    result = {
        "format": FORMAT,
        "name": content.name,
        "title": content.title,
        "simulated": content.simulated,
        "published_note": words().text["not_same"],
        "arms": [{"name": arm.name, "published": arm.published} for arm in content.arms],
        "portfolios": portfolios,
        "market": dict(content.environment["market"]),
        "warnings": list(content.warnings),
        "cautions": list(page.said.cautions),
        "missing": [asdict(one) for one in page.content.missing],
        "test_spans": [list(span) for span in _spans(content)],
        "tables": {table.id: table.records() for table in page.tables()},
        "notes": {table.id: table.note for table in page.tables() if table.note},
        "drivers": list(page.drivers.sentences) if page.drivers else [],
        "figures": {figure.id: _series(figure) for figure in page.all_figures()},
    }
    return dict(strict(result))


def _series(figure: Figure) -> list[dict[str, Any]]:
    drawn = ("name", "x", "y", "z")
    return [{key: trace[key] for key in drawn if key in trace} for trace in figure.spec["data"]]


def defined(tables: Iterable[Table]) -> list[Metric]:
    """Each metric that a table shows, once, by its label."""
    shown = {m.key: m for table in tables for m in table.columns if m.definition}
    return sorted(shown.values(), key=lambda m: m.label.lower())


def source_line(content: RunContent) -> str:
    """Where figures and tables come from."""
    spans = [words().text["span_form"].filled(first=span[0], last=span[-1]) for span in _spans(content)]
    market = content.environment["market"]
    raw = str(market.get("name") or market.get("source") or "–")
    named = words().terms.get(raw, raw)
    return words().text["figure_source"].filled(market=named, span=joined(" · ", spans) if spans else "–")


def _spans(content: RunContent) -> list[tuple[str, ...]]:
    """Test spans of the arms, each once."""
    found = [arm.factor_report.get("span") for arm in content.arms]
    return list(dict.fromkeys(tuple(map(str, span)) for span in found if span))
