"""Arms without a network: a weighting fitted on the features of single days, the baselines that networks are beside.

The training table holds every n-th training day (`Plan.every`) from the first one on: labels of neighbouring days
overlap, so the days between add little. Features are standardised by the arm's scaling, labels by rank as for the IC
loss; validation decides by the mean RankIC over its days, as for networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from deepfactor.core.errors import UserError
from deepfactor.core.spec import Spec
from deepfactor.training.data import Indices
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.weightings.base import Fitted, Table, mean_rank_ic

_WINDOWS = frozenset({"windows"})


@dataclass(frozen=True)
class Baseline:
    """What is fitted: a resolved weighting, the rows, and which days of them are taken."""

    weighting: ModuleType
    settings: Spec
    fold: Fold
    every: int
    valid_every: int
    min_stocks: int
    seed: int

    def fit(self, sampler: Sampler, report: Callable[[int, int], None]) -> tuple[Fitted, float]:
        """The fitted weighting and its mean RankIC over the validation days; `report` hears (day, days) gathered.

        Raises
        ------
        UserError
            no day of a span has enough labelled stocks.
        """
        spans = {"training": self.fold.train[:: self.every], "validation": self.fold.valid[:: self.valid_every]}
        days = {name: self.days(sampler, span, name) for name, span in spans.items()}
        total = sum(map(len, days.values()))
        train = table(sampler, days["training"], lambda done: report(done, total))
        valid = table(sampler, days["validation"], lambda done: report(len(days["training"]) + done, total))
        fitted: Fitted = self.weighting.fit(self.settings, train, valid, self.seed)
        return fitted, mean_rank_ic(fitted.predict(valid.x), valid)

    def days(self, sampler: Sampler, span: range, name: str) -> list[int]:
        """The days of `span` with enough labelled stocks."""
        data = sampler.data
        days = [t for t in span if len(data.labelled(t, data.stocks(t))) >= self.min_stocks]
        if not days:
            raise UserError(
                f"fold {self.fold.name}: no {name} day has fit.min_stocks = {self.min_stocks} labelled stocks"
            )
        return days


def table(sampler: Sampler, days: list[int], report: Callable[[int], None] = lambda done: None) -> Table:
    """The labelled stock-days of `days`, one after the other."""
    data = sampler.data
    counts = [len(data.labelled(t, data.stocks(t))) for t in days]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    x = np.empty((starts[-1], len(data.features.names)), np.float32)
    y = np.empty(starts[-1], np.float32)
    for i, t in enumerate(days):
        stocks, features = features_of(sampler, t)
        labelled = data.labelled(t, stocks)
        rows = slice(starts[i], starts[i + 1])
        x[rows], y[rows] = features[labelled], standardise(data.label[t, stocks[labelled]], "rank")
        report(i + 1)
    return Table(x, y, starts)


def features_of(sampler: Sampler, t: int) -> tuple[Indices, NDArray[np.float32]]:
    """Columns of day t's batch and its standardised features (b, f), those of the window's last day."""
    windows = sampler.cross_section(t, _WINDOWS).windows
    return sampler.data.stocks(t), windows[-1].cpu().numpy().copy()


def scores(fitted: Fitted, sampler: Sampler, t: int) -> tuple[Indices, NDArray[np.float32]]:
    """Columns and scores of day t's whole batch; both empty where there is no batch."""
    if not len(stocks := sampler.data.stocks(t)):
        return stocks, np.empty(0, np.float32)
    stocks, x = features_of(sampler, t)
    return stocks, fitted.predict(x).astype(np.float32)
