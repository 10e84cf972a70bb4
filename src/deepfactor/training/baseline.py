"""A weighting fitted on a table of stock-days: of the features of single days for arms without a network, the baselines
that networks are beside, or of what a network made of them (`second_stage`).

The training table holds every n-th training day (`Plan.every`) from the first one on: labels of neighbouring days
overlap, so the days between add little. Features are standardised by the arm's scaling, labels by rank as for the IC
loss, or z-scored; validation decides by the mean RankIC over its days, as for networks, or by the top group.

An arm may weigh stock-days (`inputs.row_weights`); those of weight 0 are left out, and labels are standardised among
the others. Validation is over all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.core.arrays import Float32, Float64, Indices
from deepfactor.core.errors import UserError
from deepfactor.training.arms import Target
from deepfactor.training.data import TrainingData
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.selection import Select
from deepfactor.training.weightings.base import Fitted, LabelledRows, Weighting
from deepfactor.training.weightings.validation import mean_rank_ic, mean_top

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
    target: Target = "rank"
    select: Select = "rank_ic"

    def fit(self, sampler: Sampler, report: Callable[[int, int], None]) -> tuple[Fitted, Judged]:
        """The fitted weighting and how validation judges it; `report` hears (day, days) gathered.

        Raises
        ------
        UserError
            no day of a span has enough labelled stocks.
        """
        train, valid = self.tables(sampler.data, lambda t: features_of(sampler, t), report)
        fitted = self.learn(train, valid)
        return fitted, Judged.of(fitted.predict(valid.x), valid)

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
        train = table(data, columns, days["training"], self.target, lambda done: report(done, total), weighed=True)
        valid = table(data, columns, days["validation"], self.target, lambda done: report(before + done, total))
        return train, replace(valid, select=self.select)

    def days(self, data: TrainingData, span: range, name: str) -> list[int]:
        """The days of `span` with enough labelled stocks."""
        weighed = name == "training"
        days = [t for t in span if len(data.trained(t, data.stocks(t), weighed=weighed)[0]) >= self.min_stocks]
        if not days:
            raise UserError(
                f"fold {self.fold.name}: no {name} day has fit.min_stocks = {self.min_stocks} labelled stocks"
            )
        return days


@dataclass(frozen=True)
class Judged:
    """What the validation days say: mean RankIC, and `top`, how far the labels of the 5 % best scores lie above all."""

    rank_ic: float
    top: float

    @classmethod
    def of(cls, score: Float64, valid: LabelledRows) -> Judged:
        """Of scores (n,) of the rows."""
        return cls(mean_rank_ic(score, valid), mean_top(score, valid))


def table(
    data: TrainingData,
    columns: Columns,
    days: Sequence[int],
    target: Target = "rank",
    report: Callable[[int], None] = lambda done: None,
    *,
    weighed: bool = False,
) -> LabelledRows:
    """The labelled stock-days of `days`, one after the other; days without columns are left out. `weighed`: with the
    weights that the data hold, those of weight 0 left out.

    Raises
    ------
    UserError
        no day has columns.
    """
    x, y, labels, weights = [], [], [], []
    for done, t in enumerate(days, start=1):
        stocks, known = columns(t)
        if known is not None:
            chosen, weight = data.trained(t, stocks, weighed=weighed)
            label = data.label[t, stocks[chosen]]
            x.append(known[chosen])
            y.append(standardise(label, target))
            labels.append(label.astype(np.float32))
            weights.append(weight)
        report(done)
    if not x:
        span = f"{data.dates[days[0]]} to {data.dates[days[-1]]}"
        raise UserError(f"none of {len(days)} days of {span} has as many independent deep factors as the network gives")
    starts = np.concatenate([[0], np.cumsum([len(day) for day in y])]).astype(np.intp)
    own = [weight for weight in weights if weight is not None]
    weight = np.concatenate(own) if own else None
    return LabelledRows(np.concatenate(x), np.concatenate(y), starts, weight, np.concatenate(labels))


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
