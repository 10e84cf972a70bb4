"""The report: everything that a run left, as one HTML page, as JSON and as a workbook of the same tables and figures.

All are made from the same tables, so they can't differ. None reads a clock: the same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from deepfactor.report import (
    cards,
    character_tables,
    factor_tables,
    figures,
    group_tables,
    paired_tables,
    portfolio_figures,
    portfolio_tables,
    run_tables,
)
from deepfactor.report.cautions import cautions
from deepfactor.report.content import PortfolioContent, RunContent
from deepfactor.report.definition_words import definition_of_portfolio
from deepfactor.report.drawing import Figure
from deepfactor.report.drivers import Drivers, drivers
from deepfactor.report.formats import strict
from deepfactor.report.html import document
from deepfactor.report.tables import Table
from deepfactor.report.words import Metric, joined, words

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
    more: tuple[Table, ...]
    more_figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Page:
    """What the template and the JSON read; an empty part has no place on the page."""

    content: RunContent
    headline: tuple[Table, ...]
    overview: tuple[Figure, ...]
    drivers: Drivers | None
    ic: tuple[Table, ...]
    ic_more: tuple[Table, ...]
    ic_figures: tuple[Figure, ...]
    groups: tuple[Table, ...]
    group_figures: tuple[Figure, ...]
    top_n: tuple[Table, ...]
    character: tuple[Table, ...]
    character_figures: tuple[Figure, ...]
    enhanced_figures: tuple[Figure, ...]
    portfolios: tuple[PortfolioPart, ...]
    training: tuple[Table, ...]
    training_figures: tuple[Figure, ...]
    run: tuple[Table, ...]
    left_out: tuple[Table, ...]
    left_out_more: tuple[Table, ...]

    def tables(self) -> list[Table]:
        """All tables in the order of the page."""
        parts = [*self.headline, *(self.drivers.tables if self.drivers else ())]
        parts += [*self.left_out, *self.left_out_more, *self.ic, *self.ic_more, *self.groups, *self.top_n]
        parts += self.character
        for p in self.portfolios:
            parts += kept([p.by_year, *p.more, p.rejected, p.relaxations])
        return [*parts, *self.training, *self.run]

    def all_figures(self) -> list[Figure]:
        """All figures in the order of the page."""
        own = [figure for p in self.portfolios for figure in (*p.figures, *p.more_figures)]
        parts = [*self.overview, *self.ic_figures, *self.group_figures, *self.character_figures]
        return [*parts, *self.enhanced_figures, *own, *self.training_figures]


def render(content: RunContent, language: str = "en") -> str:
    """The page: one self-contained HTML file that needs no network, in both languages; `language` is shown first."""
    page = page_of(content)
    market = content.environment["market"]
    return document(
        "page.html.j2",
        language,
        figures=page.all_figures(),
        page=page,
        content=content,
        title=words().sentence(content.title),
        metrics=defined(page.tables()),
        cautions=cautions(content),
        ran=cards.ran(content),
        market=dict.fromkeys(_MARKET_LISTS) | dict(market),
        derived=[words().sentence(item) for item in market.get("derived") or ()],
        notes=[words().sentence(item) for item in market.get("notes") or ()],
        derived_indices=joined(", ", [words().universe(i) for i in market.get("derived_index_weights") or ()]),
        market_facts=cards.market_facts(content),
        model_cards=cards.model_cards(content),
        timeline=cards.timeline(content),
        made_with=cards.made_with(content),
        recipe=cards.flat(content.recipe),
        source=source_line(content),
    )


def report_json(content: RunContent) -> dict[str, Any]:
    """The page's numbers: fractions, missing = null, the study's number under ``<metric>_published``; strict JSON."""
    page = page_of(content)
    portfolios = [
        {
            "id": part.id,
            "arm": p.arm,
            "index": p.index,
            "constraints": p.constraints,
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
        "cautions": cautions(content),
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


def page_of(content: RunContent) -> Page:
    """All tables and figures of a run, each in its part."""
    universes = content.universes()
    others = [u for u in universes if u != content.lead]
    indices = dict.fromkeys(p.index for p in content.portfolios)
    by_group = (figures.group_bars, figures.top_curve, figures.top_year_bars)
    sets = character_tables.style_set_names(content)
    by_index = (portfolio_figures.excess_by_index, portfolio_figures.excess_last_year)
    return Page(
        content=content,
        headline=kept(
            [
                factor_tables.headline_factor(content),
                portfolio_tables.headline_portfolio(content),
                paired_tables.headline_paired(content),
            ]
        ),
        overview=kept([figures.cumulative_rank_ic(content, content.lead), portfolio_figures.excess_overview(content)]),
        left_out=kept([run_tables.market_left_out(content), run_tables.left_out(content)]),
        left_out_more=kept([run_tables.left_out_rest(content), run_tables.training_left_out(content)]),
        drivers=drivers(content),
        ic=kept(
            [
                *factor_tables.ic_tables(content),
                factor_tables.ic_by_year(content),
                factor_tables.clocks(content),
                factor_tables.decay(content),
                factor_tables.long_leg(content),
                factor_tables.residual_ic(content),
                factor_tables.seeds(content),
                factor_tables.seed_spread(content),
            ]
        ),
        ic_more=tuple(paired_tables.paired(content)),
        ic_figures=kept([figures.decay(content), *(figures.cumulative_rank_ic(content, u) for u in others)]),
        groups=kept(
            [
                group_tables.top_group(content),
                *(group_tables.top_by_year(content, name) for name in group_tables.BY_YEAR),
                group_tables.group_returns(content),
            ]
        ),
        group_figures=kept([draw(content, u) for draw in by_group for u in universes]),
        top_n=kept(
            [
                group_tables.interval(content),
                group_tables.top_n(content),
                group_tables.top_n_by_year(content),
                group_tables.offsets(content),
            ]
        ),
        character=kept(
            [
                character_tables.autocorrelation(content),
                *character_tables.style_tables(content),
                character_tables.styles_absent(content),
                character_tables.model_correlation(content),
            ]
        ),
        character_figures=kept(
            [
                *(figures.style_bars(content, name, which) for name in sets for which in ("mean", "last")),
                figures.correlation_matrix(content),
            ]
        ),
        enhanced_figures=kept([draw(content, index) for draw in by_index for index in indices]),
        portfolios=tuple(_portfolio(content, p, k) for k, p in enumerate(content.portfolios)),
        training=kept([run_tables.training_jobs(content), run_tables.importance(content)]),
        training_figures=tuple(figures.training_curves(content)),
        run=kept([run_tables.stages(content)]),
    )


def _portfolio(content: RunContent, p: PortfolioContent, k: int) -> PortfolioPart:
    name = f"portfolio_{k + 1}"
    return PortfolioPart(
        id=name,
        title=joined(" · ", [p.arm, words().universe(p.index), p.constraints]),
        facts=tuple(cards.portfolio_facts(p)),
        figures=kept([portfolio_figures.portfolio_nav(p, name), portfolio_figures.portfolio_excess(p, name)]),
        by_year=portfolio_tables.portfolio_by_year(content, p, name),
        relaxations=portfolio_tables.relaxations(p, name),
        rejected=portfolio_tables.rejected(p, name),
        more=kept(
            [
                portfolio_tables.attribution(p, name),
                portfolio_tables.episodes(p, name),
                portfolio_tables.binding(p, name),
            ]
        ),
        more_figures=kept([portfolio_figures.attribution_curve(p, name), portfolio_figures.attribution_bars(p, name)]),
    )


_Part = TypeVar("_Part")


def kept(parts: Iterable[_Part | None]) -> tuple[_Part, ...]:
    """The parts that there are."""
    return tuple(part for part in parts if part is not None)


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
