"""How well scores agree with a simulated market's truth, over the test days of the demo's fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Floats
from deepfactor.evaluation.ic import information_coefficients
from deepfactor.panel.returns import forward_return
from deepfactor.pipeline.markets import Market
from deepfactor.runs.results import oracle_path, read_oracle
from deepfactor.training.data import TrainingData

HORIZON = 10
MIN_NAMES = 30


@dataclass(frozen=True)
class Measured:
    """Means over the test days.

    Attributes
    ----------
    oracle, visible : cross-sectional Pearson correlation with the 10-day oracle, and with what of it prices and
        volumes show, which is all that the networks are given; NaN in a null market
    neutral, raw : RankIC with the neutralised and the raw 10-day return close t+1 → close t+11
    error : standard error of `neutral`, from its means over blocks of 20 days
    """

    oracle: float
    visible: float
    neutral: float
    raw: float
    error: float


@dataclass(frozen=True)
class Truth:
    """The test days of a market, each array (days, N): who is scored, what is known of the future, what came of it."""

    scored: Bools
    oracle: Floats
    visible: Floats
    neutral: Floats
    raw: Floats

    @classmethod
    def of(cls, market: Market, data: TrainingData, test: range) -> Truth:
        """Of the rows `test` of a market with its oracle beside it."""
        rows = slice(test.start, test.stop)
        scored = np.zeros((len(test), len(data.symbols)), bool)
        for i, t in enumerate(test):
            scored[i, data.stocks(t)] = True
        path = oracle_path(market.folder.path)
        oracle = read_oracle(path, market.panel, HORIZON)
        visible = read_oracle(path, market.panel, HORIZON, "visible")
        if oracle is None or visible is None:
            raise FileNotFoundError(f"{path}: delete the market and run again")
        raw = forward_return(market.panel, "t1_close", HORIZON)
        return cls(scored, oracle.values[rows], visible.values[rows], data.label[rows], raw[rows])

    def measure(self, scores: Floats) -> Measured:
        """Of scores (days, N) that every scored stock has."""
        if not np.isfinite(scores[self.scored]).all():
            raise ValueError(f"{np.isnan(scores[self.scored]).sum()} of {self.scored.sum()} stock-days have no score")
        truth, visible = (
            information_coefficients(scores, values, self.scored, min_names=MIN_NAMES).ic
            for values in (self.oracle, self.visible)
        )
        neutral = information_coefficients(scores, self.neutral, self.scored, min_names=MIN_NAMES).rank_ic
        raw = information_coefficients(scores, self.raw, self.scored, min_names=MIN_NAMES).rank_ic
        return Measured(mean(truth), mean(visible), mean(neutral), mean(raw), block_error(neutral))


def mean(daily: Floats) -> float:
    """Over the days that have a value; NaN where none has."""
    return float(np.nanmean(daily)) if np.isfinite(daily).any() else float("nan")


def block_error(daily: Floats, days: int = 20) -> float:
    """Standard error of the mean of overlapping daily values: from the means of blocks longer than the horizon."""
    kept = daily[np.isfinite(daily)]
    blocks = kept[: len(kept) // days * days].reshape(-1, days).mean(axis=1)
    return float(blocks.std(ddof=1) / np.sqrt(len(blocks)))
