"""The recipe's index-enhanced portfolios, an arm each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from deepfactor.core.errors import DataError
from deepfactor.pipeline.enhancing import backtest_to
from deepfactor.pipeline.markets import absent_styles
from deepfactor.pipeline.risk import risk_wanted
from deepfactor.pipeline.stages.base import Unit, Work
from deepfactor.pipeline.trials import note
from deepfactor.recipe import Portfolio, load_constraints, unchanged_preset
from deepfactor.risk.opening import VERSION
from deepfactor.runs.done import Outcome, Record

NAME, MANY, GROUP = "portfolio", "portfolios", "portfolios"
READS = ("scores", "combination")
NUMERICS = 2


def units(work: Work) -> Iterator[Unit]:
    """One a portfolio and arm."""
    recipe, folder = work.recipe, work.folder
    for portfolio in recipe.portfolios:
        preset = load_constraints(portfolio)
        reads: dict[str, object] = {
            "constraints": preset.model_dump(mode="json"),
            "preset": unchanged_preset(portfolio),
            "portfolio": portfolio.model_dump(mode="json", include={"index", "start", "end", "capital"}),
            "styles": (preset.styles or recipe.styles).written(),
            "universe": recipe.universe.model_dump(mode="json"),
        }
        if preset.of_risk is not None:
            reads["risk"] = VERSION
        for arm in portfolio.arms or recipe.scored:
            place = folder.portfolio(arm, portfolio.index, portfolio.constraints)
            label = folder.portfolio_label(arm, portfolio.index, portfolio.constraints)
            own = {"arm": arm, "scores": work.content(arm).get("scores")}
            yield Unit(label, place, reads | own, [place], partial(_backtest, work, portfolio, arm))


def followed_of(work: Work) -> Iterator[tuple[Portfolio, str, Record]]:
    """Each portfolio and arm that was followed, with its record: what others stand beside."""
    for portfolio in work.recipe.portfolios:
        for arm in portfolio.arms or work.recipe.scored:
            record = work.done.of(work.folder.portfolio(arm, portfolio.index, portfolio.constraints))
            if record is not None:
                yield portfolio, arm, record


def _backtest(work: Work, portfolio: Portfolio, arm: str) -> Outcome:
    if arm not in work.scored:
        raise DataError(f"{arm} has no scores: it could not be combined")
    preset = load_constraints(portfolio)
    kind = preset.styles or work.recipe.styles
    styles = work.sets.of(kind)
    risk = risk_wanted(work.market, kind, styles.exposures, [preset], work.console)
    place = work.folder.portfolio(arm, portfolio.index, portfolio.constraints)
    of = work.scores(arm).ensemble
    made = backtest_to(place, work.market, of, styles.exposures, portfolio, work.eligible, work.console, risk=risk)
    keys = note(work.market.folder.path, made.trials, work.console)
    return Outcome(dict.fromkeys(keys, "trial"), warnings=tuple(absent_styles(kind, styles)))
