"""What stands where on the page: every table, figure and fact of a run, each in its part."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
from deepfactor.report.drawing import Figure
from deepfactor.report.drivers import Drivers, drivers
from deepfactor.report.making import Lost, Maker, kept
from deepfactor.report.tables import Table
from deepfactor.report.words import Text, joined, words


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
class Said:
    """What the page says outside tables and figures; empty where it can't be said."""

    cautions: tuple[Text, ...]
    ran: tuple[cards.Fact, ...]
    market_facts: tuple[cards.Fact, ...]
    model_cards: tuple[cards.ModelCard, ...]
    timeline: cards.Timeline | None
    made_with: tuple[cards.Fact, ...]
    recipe: tuple[cards.Fact, ...]


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
    said: Said
    missing: Table | None = None

    def tables(self) -> list[Table]:
        """All tables in the order of the page."""
        parts = [*kept([self.missing]), *self.headline, *(self.drivers.tables if self.drivers else ())]
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


def page_of(content: RunContent, lost: list[Lost] | None = None) -> Page:
    """All tables and figures of a run; with a list `lost`, parts that can't be made are added to it and left out."""
    make = Maker(lost)
    universes = content.universes()
    others = [u for u in universes if u != content.lead]
    indices = dict.fromkeys(p.index for p in content.portfolios)
    by_group = (figures.group_bars, figures.top_curve, figures.top_year_bars)
    sets = make.many(character_tables.style_set_names, content)
    by_index = (portfolio_figures.excess_by_index, portfolio_figures.excess_last_year)
    each = ((figures.cumulative_rank_ic, content, u) for u in others)
    bars = ((figures.style_bars, content, name, which) for name in sets for which in ("mean", "last"))
    return Page(
        content=content,
        headline=make.all(
            (factor_tables.headline_factor, content),
            (portfolio_tables.headline_portfolio, content),
            (paired_tables.headline_paired, content),
        ),
        overview=make.all(
            (figures.cumulative_rank_ic, content, content.lead), (portfolio_figures.excess_overview, content)
        ),
        left_out=make.all((run_tables.market_left_out, content), (run_tables.left_out, content)),
        left_out_more=make.all((run_tables.left_out_rest, content), (run_tables.training_left_out, content)),
        drivers=make.one(drivers, content),
        ic=(
            *make.many(factor_tables.ic_tables, content),
            *make.all(
                (factor_tables.ic_by_year, content),
                (factor_tables.clocks, content),
                (factor_tables.decay, content),
                (factor_tables.long_leg, content),
                (factor_tables.residual_ic, content),
                (factor_tables.seeds, content),
                (factor_tables.seed_spread, content),
            ),
        ),
        ic_more=make.many(paired_tables.paired, content),
        ic_figures=make.all((figures.decay, content), *each),
        groups=make.all(
            (group_tables.top_group, content),
            *((group_tables.top_by_year, content, name) for name in group_tables.BY_YEAR),
            (group_tables.group_returns, content),
        ),
        group_figures=make.all(*((draw, content, u) for draw in by_group for u in universes)),
        top_n=make.all(
            (group_tables.interval, content),
            (group_tables.top_n, content),
            (group_tables.top_n_by_year, content),
            (group_tables.offsets, content),
        ),
        character=(
            *make.all((character_tables.autocorrelation, content)),
            *make.many(character_tables.style_tables, content),
            *make.all((character_tables.styles_absent, content), (character_tables.model_correlation, content)),
        ),
        character_figures=make.all(*bars, (figures.correlation_matrix, content)),
        enhanced_figures=make.all(*((draw, content, index) for draw in by_index for index in indices)),
        portfolios=tuple(_portfolio(make, content, p, k) for k, p in enumerate(content.portfolios)),
        training=make.all((run_tables.training_jobs, content), (run_tables.importance, content)),
        training_figures=make.many(figures.training_curves, content),
        run=make.all((run_tables.stages, content)),
        said=_said(make, content),
        missing=run_tables.missing(content),
    )


def with_missing(page: Page, content: RunContent) -> Page:
    """The same page of a content that now knows more of what is missing."""
    return replace(page, content=content, missing=run_tables.missing(content))


def _said(make: Maker, content: RunContent) -> Said:
    return Said(
        cautions=make.many(cautions, content),
        ran=make.many(cards.ran, content),
        market_facts=make.many(cards.market_facts, content),
        model_cards=make.many(cards.model_cards, content),
        timeline=make.one(cards.timeline, content),
        made_with=make.many(cards.made_with, content),
        recipe=make.many(cards.flat, content.recipe),
    )


def _portfolio(make: Maker, content: RunContent, p: PortfolioContent, k: int) -> PortfolioPart:
    name = f"portfolio_{k + 1}"
    return PortfolioPart(
        id=name,
        title=joined(" · ", [p.arm, words().universe(p.index), p.named]),
        facts=make.many(cards.portfolio_facts, p),
        figures=make.all((portfolio_figures.portfolio_nav, p, name), (portfolio_figures.portfolio_excess, p, name)),
        by_year=make.one(portfolio_tables.portfolio_by_year, content, p, name),
        relaxations=make.one(portfolio_tables.relaxations, p, name),
        rejected=make.one(portfolio_tables.rejected, p, name),
        more=make.all(
            (portfolio_tables.attribution, p, name),
            (portfolio_tables.episodes, p, name),
            (portfolio_tables.binding, p, name),
        ),
        more_figures=make.all(
            (portfolio_figures.attribution_curve, p, name), (portfolio_figures.attribution_bars, p, name)
        ),
    )
