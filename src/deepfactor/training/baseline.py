"""A weighting fitted on a table of stock-days: of the features of single days for arms without a network, the baselines
that networks are beside, or of what a network made of them (`second_stage`).

The training table holds every n-th training day (`Plan.every`) from the first one on: labels of neighbouring days
overlap, so the days between add little. Features are standardised by the arm's scaling, labels by rank as for the IC
loss; validation decides by the mean RankIC over its days, as for networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Float32, Indices
from deepfactor.core.errors import UserError
from deepfactor.training.data import TrainingData
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.weightings.base import Fitted, LabelledRows, Weighting
from deepfactor.training.weightings.validation import mean_rank_ic

_WINDOWS = frozenset({"windows"})

#: Columns of a day's batch (b,) and what is known of them (b, k), standardised, no NaN; None on a day without it.
Columns = Callable[[int], tuple[Indices, Float32 | None]]


@dataclass(frozen=True)
class Baseline:
    """What is fitted: a weighting, the rows, and which days of them are taken."""

    weighting: Weighting
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
        train, valid = self.tables(sampler.data, lambda t: features_of(sampler, t), report)
        fitted = self.learn(train, valid)
        return fitted, mean_rank_ic(fitted.predict(valid.x), valid)

    def learn(self, train: LabelledRows, valid: LabelledRows) -> Fitted:
        """The weighting fitted on a table."""
        return self.weighting.part.fit(self.weighting.settings, train, valid, self.seed)

    def tables(
        self, data: TrainingData, columns: Columns, report: Callable[[int, int], None]
    ) -> tuple[LabelledRows, LabelledRows]:
        """The training and the validation table."""
        spans = {"training": self.fold.train[:: self.every], "validation": self.fold.valid[:: self.valid_every]}
        days = {name: self.days(data, span, name) for name, span in spans.items()}
        total, before = sum(map(len, days.values())), len(days["training"])
        train = table(data, columns, days["training"], lambda done: report(done, total))
        valid = table(data, columns, days["validation"], lambda done: report(before + done, total))
        return train, valid

    def days(self, data: TrainingData, span: range, name: str) -> list[int]:
        """The days of `span` with enough labelled stocks."""
        days = [t for t in span if len(data.labelled(t, data.stocks(t))) >= self.min_stocks]
        if not days:
            raise UserError(
                f"fold {self.fold.name}: no {name} day has fit.min_stocks = {self.min_stocks} labelled stocks"
            )
        return days


def table(
    data: TrainingData, columns: Columns, days: Sequence[int], report: Callable[[int], None] = lambda done: None
) -> LabelledRows:
    """The labelled stock-days of `days`, one after the other; days without columns are left out.

    Raises
    ------
    UserError
        no day has columns.
    """
    x, y = [], []
    for done, t in enumerate(days, start=1):
        stocks, known = columns(t)
        if known is not None:
            labelled = data.labelled(t, stocks)
            x.append(known[labelled])
            y.append(standardise(data.label[t, stocks[labelled]], "rank"))
        report(done)
    if not x:
        span = f"{data.dates[days[0]]} to {data.dates[days[-1]]}"
        raise UserError(f"none of {len(days)} days of {span} has as many independent deep factors as the network gives")
    starts = np.concatenate([[0], np.cumsum([len(day) for day in y])]).astype(np.intp)
    return LabelledRows(np.concatenate(x), np.concatenate(y), starts)


def features_of(sampler: Sampler, t: int) -> tuple[Indices, Float32]:
    """Columns of day t's batch and its standardised features (b, f), those of the window's last day."""
    windows = sampler.cross_section(t, _WINDOWS).windows
    return sampler.data.stocks(t), windows[-1].cpu().numpy().copy()


def scores(fitted: Fitted, sampler: Sampler, t: int) -> tuple[Indices, Float32]:
    """Columns and scores of day t's whole batch; both empty where there is no batch."""
    if not len(stocks := sampler.data.stocks(t)):
        return stocks, np.empty(0, np.float32)
    stocks, x = features_of(sampler, t)
    return stocks, fitted.predict(x).astype(np.float32)
