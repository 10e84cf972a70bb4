"""Each seed's own scores under each portfolio's constraints: how far one fit's luck moves the excess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from deepfactor.core.words import Sentence
from deepfactor.pipeline.seeds import FILE, follow_seeds
from deepfactor.pipeline.stages.base import Apart, Unit, Work
from deepfactor.pipeline.stages.portfolio import RATE, followed_of
from deepfactor.recipe import load_constraints
from deepfactor.runs.done import Outcome

NAME, GROUP = "seed_portfolio", "portfolios"
MANY = Sentence("portfolios by seed", "各种子的组合")
READS = ("portfolio",)
NUMERICS = 1


def units(work: Work) -> Iterator[Unit]:
    """One a portfolio of an arm with more than one seed."""
    for portfolio, arm, record in followed_of(work):
        content = work.content(arm)
        seeds = {int(seed): one for seed, one in content.items() if seed.isdigit()}
        if len(seeds) > 1:
            place = work.folder.portfolio(arm, portfolio.index, portfolio.constraints)
            label = work.folder.portfolio_label(arm, portfolio.index, portfolio.constraints)
            reads: Mapping[str, object] = {"portfolio": record.key, "seeds": sorted(seeds.items())}
            preset = load_constraints(portfolio)
            kind = preset.styles or work.recipe.styles
            files = sorted(work.files(arm)[1:], key=lambda one: one.seed or 0)
            make = partial(follow_seeds, place, portfolio, kind, files)
            apart = Apart(make, _written, [kind], RATE * len(files), [(kind, preset)])
            yield Unit(label, place / FILE, reads, [place / FILE], apart)


def _written(nothing: None) -> Outcome:
    return Outcome()
