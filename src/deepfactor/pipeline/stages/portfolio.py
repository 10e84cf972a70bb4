"""The recipe's index-enhanced portfolios, an arm each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence
from deepfactor.pipeline.enhancing import backtest_arm
from deepfactor.pipeline.markets import absent_styles
from deepfactor.pipeline.stages.base import Apart, Unit, Work
from deepfactor.pipeline.trials import note
from deepfactor.recipe import Portfolio, load_constraints, unchanged_preset
from deepfactor.risk.opening import VERSION
from deepfactor.runs.done import Outcome, Record
from deepfactor.store.trials import Trial
from deepfactor.styles.base import StyleSet

NAME, GROUP = "portfolio", "portfolios"
MANY = Sentence("portfolios", "组合")
READS = ("scores", "combination")
NUMERICS = 2
#: Seconds that a backtest takes a core by day and stock, as measured: 7 on 970 × 4996.
RATE = 1.45e-6


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
            if arm in work.scored:
                kind = preset.styles or recipe.styles
                make = partial(backtest_arm, place, work.files(arm)[0], portfolio, kind)
                take, risks = partial(_followed, work, kind), [(kind, preset)]
                yield Unit(label, place, reads | own, [place], Apart(make, take, [kind], RATE, risks))
            else:
                yield Unit(label, place, reads | own, [place], partial(_without_scores, arm))


def followed_of(work: Work) -> Iterator[tuple[Portfolio, str, Record]]:
    """Each portfolio and arm that was followed, with its record: what others stand beside."""
    for portfolio in work.recipe.portfolios:
        for arm in portfolio.arms or work.recipe.scored:
            record = work.done.of(work.folder.portfolio(arm, portfolio.index, portfolio.constraints))
            if record is not None:
                yield portfolio, arm, record


def _followed(work: Work, kind: StyleSet, trials: Sequence[Trial | None]) -> Outcome:
    keys = note(work.market.folder.path, trials, work.console)
    return Outcome(dict.fromkeys(keys, "trial"), warnings=tuple(absent_styles(kind, work.sets.of(kind))))


def _without_scores(arm: str) -> Outcome:
    raise DataError(f"{arm} has no scores: it could not be combined")
