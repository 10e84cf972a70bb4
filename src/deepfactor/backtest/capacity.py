"""How large a book the trades of a portfolio leave room for, by what is traded of each stock in a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.records import CapacityRecord
from deepfactor.backtest.result import BacktestResult
from deepfactor.backtest.signals import average_daily_volume
from deepfactor.core.arrays import Float64
from deepfactor.panel.panel import Panel

#: Share of a stock's daily amount that a trade may be, and of what a rebalance trades that has to keep to it.
SHARE, WITHIN = 0.1, 0.95


@dataclass(frozen=True)
class Capacity:
    """The largest book, CNY, of which `WITHIN` of what is traded is at most `SHARE` of the stock's daily amount.

    Attributes
    ----------
    books : (R,) of the rebalances but the first, which buys all from cash; NaN where nothing is traded
    """

    books: Float64

    def record(self) -> CapacityRecord:
        """As in ``summary.json``: the median rebalance and the one in twenty with the least room; None of none."""
        known = self.books[np.isfinite(self.books)]
        middle, low = np.quantile(known, [0.5, 0.05]).tolist() if len(known) else (None, None)
        return {"share": SHARE, "within": WITHIN, "median": middle, "low": low, "rebalances": len(known)}


def capacity(result: BacktestResult, panel: Panel) -> CapacityRecord | None:
    """`Capacity.record` by mean amounts of the 20 days up to each signal; None where the market has no amounts."""
    if not {"vwap", "volume"} <= set(panel.fields):
        return None
    weights, later = result.weights, result.rebalances.date[~result.rebalances.first]
    books = np.full(len(later), np.nan)
    for k, date in enumerate(later):
        at = weights.date == date
        moved = np.abs(weights.weight[at] - weights.drifted_weight[at])
        amount = average_daily_volume(panel, int(np.searchsorted(panel.dates, date)))
        assert amount is not None, "the fields are there"
        books[k] = book_within(amount[np.searchsorted(panel.symbols, weights.symbol[at])], moved)
    return Capacity(books).record()


def book_within(amount: Float64, moved: Float64) -> float:
    """The largest book, of trades that are `moved` (n,) of it, in stocks with a daily `amount` (n,) in CNY.

    >>> book_within(np.array([1e8, 1e6]), np.array([0.02, 0.0001]))
    500000000.0
    """
    traded = np.flatnonzero(moved > 0)
    if not len(traded):
        return float("nan")
    room = SHARE * amount[traded] / moved[traded]
    order = np.argsort(room, kind="stable")
    beyond = np.cumsum(moved[traded][order]) / moved[traded].sum()  # of what is traded, up to and with each
    return float(room[order[int(np.searchsorted(beyond, 1.0 - WITHIN + 1e-12, side="right"))]])
