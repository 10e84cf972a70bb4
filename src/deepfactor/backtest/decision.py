"""A signal day's decision, of a backtest and of the desk alike: the book and what is known at the close in, the target
and its orders out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay
from deepfactor.backtest.signals import Knowledge, Signal, average_daily_volume, orders, state_problem, with_risk
from deepfactor.core.arrays import Float64
from deepfactor.portfolio.problem import Rebalance, Target


class Enhancer(Protocol):
    """Anything that turns a rebalance's facts into target weights."""

    def solve(self, r: Rebalance) -> Target:
        """Weights aligned with ``r.symbols``."""
        ...


@dataclass(frozen=True)
class Decision:
    """What a signal day comes to.

    Attributes
    ----------
    signal : the problem and its names
    target : the optimiser's answer
    aimed_at : (N,) float64
        its weights over all stocks, 0 where there is none: what the next decision counts turnover from.
    orders : (N,) float64
        shares to buy (> 0) or sell (< 0), not rounded to lots.
    """

    signal: Signal
    target: Target
    aimed_at: Float64
    orders: Float64


def decide(known: Knowledge, day: TradingDay, book: Book, aimed_at: Float64 | None, enhancer: Enhancer) -> Decision:
    """The decision of the close of `day`; `aimed_at` (N,) is the last decision's, None before the first.

    Reads rows up to that of `day` alone. Raises as `state_problem`, `orders` and the enhancer do.
    """
    signal = state_problem(known, day, book, aimed_at, average_daily_volume(known.panel, day.row))
    if known.risk is not None:
        signal = with_risk(signal, known.risk, day.row)
    target = enhancer.solve(signal.problem)
    wanted = orders(book, signal.names, target.weights)
    weights = np.zeros_like(wanted)
    weights[signal.names] = target.weights
    return Decision(signal, target, weights, wanted)
