"""The report: everything that a run left, as one HTML page and as JSON of the same tables and figures.

Both are made from the same tables, so they can't differ. Neither reads a clock: the same content gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import jinja2
import plotly.offline
from markupsafe import Markup

from deepfactor.report import cards, factor_tables, figures, run_tables
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.figures import Figure
from deepfactor.report.formats import strict
from deepfactor.report.tables import Table
from deepfactor.report.words import words

# What the template asks of a market, whether it has it or not.
_MARKET_LISTS = ("source", "span", "derived", "derived_index_weights", "notes")

FORMAT = 1
"""Version of `report_json`'s shape."""


@dataclass(frozen=True)
class PortfolioPart:
    """One portfolio's place on the page."""

    id: str
    title: str
    facts: tuple[cards.Fact, ...]
    figures: tuple[Figure, ...]
    by_year: Table | None
    relaxations: Table | None
    rejected: Table | None


@dataclass(frozen=True)
class Page:
    """What the template and the JSON read; an empty part has no place on the page."""

    content: RunContent
    headline: tuple[Table, ...]
    overview: tuple[Figure, ...]
    ic: tuple[Table, ...]
    ic_figures: tuple[Figure, ...]
    groups: tuple[Table, ...]
    group_figures: tuple[Figure, ...]
    top_n: tuple[Table, ...]
    character: tuple[Table, ...]
    portfolios: tuple[PortfolioPart, ...]
    training: tuple[Table, ...]
    training_figures: tuple[Figure, ...]
    run: tuple[Table, ...]
    left_out: tuple[Table, ...]
    left_out_more: tuple[Table, ...]

    def tables(self) -> list[Table]:
        """All tables in the order of the page."""
        parts = [*self.headline, *self.left_out, *self.left_out_more, *self.ic, *self.groups, *self.top_n]
        parts += self.character
        for p in self.portfolios:
            parts += _kept([p.by_year, p.relaxations, p.rejected])
        return [*parts, *self.training, *self.run]

    def all_figures(self) -> list[Figure]:
        """All figures in the order of the page."""
        own = [figure for p in self.portfolios for figure in p.figures]
        return [*self.overview, *self.ic_figures, *self.group_figures, *own, *self.training_figures]


def render(content: RunContent) -> str:
    """The page: one self-contained HTML file that needs no network."""
    page = _page(content)
    return _template().render(
        page=page,
        content=content,
        t=words().text,
        metrics=_defined(page),
        market=dict.fromkeys(_MARKET_LISTS) | dict(content.environment["market"]),
        derived_indices=[words().universe(i) for i in content.environment["market"].get("derived_index_weights") or ()],
        market_facts=cards.market_facts(content),
        model_cards=cards.model_cards(content),
        timeline=cards.timeline(content),
        made_with=cards.made_with(content),
        recipe=cards.flat(content.recipe),
        spans=_spans(content),
        css=_asset("page.css"),
        js=_asset("page.js"),
        plotly=Markup(plotly.offline.get_plotlyjs()) if page.all_figures() else "",
        embed=_embed,
    )


def report_json(content: RunContent) -> dict[str, Any]:
    """The page's numbers: fractions, missing = null, the study's number under ``<metric>_published``; strict JSON."""
    page = _page(content)
    portfolios = [
        {"id": part.id, "arm": p.arm, "index": p.index, "constraints": p.constraints, "trades": p.trades}
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
        "tables": {table.id: table.records() for table in page.tables()},
        "figures": {figure.id: _series(figure) for figure in page.all_figures()},
    }
    return dict(strict(result))


def _series(figure: Figure) -> list[dict[str, Any]]:
    return [{"name": trace["name"], "x": trace["x"], "y": trace["y"]} for trace in figure.spec["data"]]


def _page(content: RunContent) -> Page:
    universes = content.universes()
    others = [u for u in universes if u != content.lead]
    return Page(
        content=content,
        headline=_kept([factor_tables.headline_factor(content), run_tables.headline_portfolio(content)]),
        overview=_kept([figures.cumulative_rank_ic(content, content.lead), figures.excess_overview(content)]),
        left_out=_kept([run_tables.market_left_out(content), run_tables.left_out(content)]),
        left_out_more=_kept([run_tables.left_out_rest(content), run_tables.training_left_out(content)]),
        ic=_kept(
            [
                *factor_tables.ic_tables(content),
                factor_tables.ic_by_year(content),
                factor_tables.clocks(content),
                factor_tables.seeds(content),
            ]
        ),
        ic_figures=_kept(figures.cumulative_rank_ic(content, u) for u in others),
        groups=_kept([factor_tables.top_group(content), factor_tables.top_by_year(content)]),
        group_figures=_kept([draw(content, u) for draw in (figures.group_bars, figures.top_curve) for u in universes]),
        top_n=_kept([factor_tables.top_n(content)]),
        character=_kept(
            [
                factor_tables.autocorrelation(content),
                factor_tables.style_correlation(content),
                factor_tables.model_correlation(content),
            ]
        ),
        portfolios=tuple(_portfolio(content, p, k) for k, p in enumerate(content.portfolios)),
        training=_kept([run_tables.training_jobs(content)]),
        training_figures=tuple(figures.training_curves(content)),
        run=_kept([run_tables.stages(content)]),
    )


def _portfolio(content: RunContent, p: PortfolioContent, k: int) -> PortfolioPart:
    name = f"portfolio_{k + 1}"
    return PortfolioPart(
        id=name,
        title=f"{p.arm} · {words().universe(p.index)} · {p.constraints}",
        facts=tuple(cards.portfolio_facts(p)),
        figures=_kept([figures.portfolio_nav(p, name), figures.portfolio_excess(p, name)]),
        by_year=run_tables.portfolio_by_year(content, p, name),
        relaxations=run_tables.relaxations(p, name),
        rejected=run_tables.rejected(p, name),
    )


_Part = TypeVar("_Part")


def _kept(parts: Iterable[_Part | None]) -> tuple[_Part, ...]:
    return tuple(part for part in parts if part is not None)


def _defined(page: Page) -> list[Any]:
    """Each metric that a table shows, once, by its label."""
    shown = {m.key: m for table in page.tables() for m in table.columns if m.definition}
    return sorted(shown.values(), key=lambda m: m.label.lower())


def _spans(content: RunContent) -> list[str]:
    """Test spans of the arms, each once."""
    found = [arm.factor_report.get("span") for arm in content.arms]
    return list(dict.fromkeys(" to ".join(map(str, span)) for span in found if span))


def _embed(figure: Figure) -> Markup:
    """A figure as JSON inside a script element: nothing in it can end the element."""
    text = json.dumps(figure.spec, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _asset(name: str) -> Markup:
    return Markup((files("deepfactor.report") / "assets" / name).read_text(encoding="utf-8"))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("deepfactor.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")
