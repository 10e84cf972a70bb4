"""What random scores earn under each portfolio's constraints: the band that its excess stands in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from deepfactor.backtest.records import SummaryFile
from deepfactor.core.words import Sentence
from deepfactor.pipeline.placebo import FILE, ground_of, placebo_line, placebo_to
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.pipeline.stages.portfolio import followed_of
from deepfactor.recipe import Portfolio, load_constraints
from deepfactor.runs.done import Outcome
from deepfactor.runs.results import read_json

NAME, GROUP = "placebo", "portfolios"
MANY = Sentence("placebo bands", "随机得分区间")
READS = ("portfolio",)
NUMERICS = 1


def units(work: Work) -> Iterator[Unit]:
    """One a portfolio that was followed."""
    draws = work.recipe.placebo
    for portfolio, arm, record in followed_of(work) if draws else ():
        place = work.folder.portfolio(arm, portfolio.index, portfolio.constraints)
        label = work.folder.portfolio_label(arm, portfolio.index, portfolio.constraints)
        reads = {"portfolio": record.key, "draws": draws}
        yield Unit(label, place / FILE, reads, [place / FILE], partial(_band, work, portfolio, arm))


def _band(work: Work, portfolio: Portfolio, arm: str) -> Outcome:
    place = work.folder.portfolio(arm, portfolio.index, portfolio.constraints)
    preset = load_constraints(portfolio)
    kind = preset.styles or work.recipe.styles
    styles = work.sets.of(kind)
    risk = work.ground.risk(kind, [preset], work.console)
    summary: SummaryFile = read_json(place / "summary.json")
    ground = ground_of(work.market, styles.exposures, portfolio, work.eligible, summary, risk)
    made = placebo_to(
        place,
        work.market.folder.path,
        ground,
        work.scores(arm).ensemble,
        summary,
        work.recipe.placebo,
        work.console,
        work.engine,
    )
    work.console.say(f"{arm} on {portfolio.index}, {portfolio.constraints}: {placebo_line(made)}")
    return Outcome()
