"""How much of a book was invested, beside what its targets asked for: a book of cash beats a falling index by luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.result import BacktestResult
from deepfactor.core.arrays import Float64

#: A day on which less than this share of the target is invested counts as one of a book that is not what was asked for.
ENOUGH = 0.9
#: So many of such days, as a share of all, are worth a warning.
MANY_DAYS = 0.1


@dataclass(frozen=True)
class Invested:
    """From the first fill on; fractions of the book, NaN where nothing was ever filled.

    Attributes
    ----------
    mean : invested, mean over days
    target : what the targets in force added up to, mean over days
    days, days_below : days, and those with less than `ENOUGH` of their target
    """

    mean: float
    target: float
    days: int
    days_below: int

    def warning(self) -> str | None:
        """A sentence where the book is not the one that was asked for, so that its excess says little of the scores."""
        if not self.days:
            return "no rebalance was filled: nothing was ever held, and the excess is that of cash"
        if self.mean >= ENOUGH * self.target and self.days_below <= MANY_DAYS * self.days:
            return None
        return (
            f"{self.mean:.1%} of the book was invested on average where its targets ask for {self.target:.1%} "
            f"({self.days_below} of {self.days} days below {ENOUGH:.0%} of the target): the excess is largely that of "
            "cash. See the refused orders; with little capital a lot is more than a target weight"
        )


def invested(result: BacktestResult) -> Invested:
    """What was invested at the closes from the first fill on, and the targets in force."""
    fills = result.rebalances.fill_date
    known = ~np.isnat(fills)
    if not known.any():
        return Invested(np.nan, np.nan, 0, 0)
    rows = np.searchsorted(result.dates, fills[known])
    held = 1.0 - result.cash / (result.nav * result.capital)
    position = np.searchsorted(rows, np.arange(rows[0], len(result.dates)), side="right") - 1
    target = _targets(result)[known][position]
    share = held[rows[0] :]
    return Invested(float(share.mean()), float(target.mean()), len(share), int((share < ENOUGH * target).sum()))


def _targets(result: BacktestResult) -> Float64:
    """(R,) sum of each rebalance's target weights."""
    row = np.searchsorted(result.rebalances.date, result.weights.date)
    return np.asarray(np.bincount(row, result.weights.weight, len(result.rebalances)), dtype=np.float64)
