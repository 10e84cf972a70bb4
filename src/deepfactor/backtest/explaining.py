"""What one day's active return is explained by: the factor returns of the day, on the exposures of the close before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.days import TradingDay
from deepfactor.core.arrays import Float64, Indices
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.risk.factor_returns import FactorReturns, estimate, matrix
from deepfactor.styles.base import StylesByDay
from deepfactor.styles.completion import complete_exposures

UNKNOWN = "unknown"


def factor_names(styles: StylesByDay, universe: Universe) -> tuple[tuple[str, str], ...]:
    """Part and name of what `explain` returns: styles, industries with that of unknown ones, then selection."""
    industries = [("industry", name) for name in (*universe.industries, UNKNOWN)]
    return (*(("style", name) for name in styles), *industries, ("selection", "stocks"))


@dataclass
class Close:
    """A day's close: the book's and the replica's weights (N,), and stock returns of the day (N,).

    `held` (n,) columns with a weight in either; `active` (n,) weights, `exposures` (K, n) and `group` (n,) of these.
    """

    day: TradingDay
    weights: Float64
    invested: float
    benchmark: Float64
    returns: Float64

    def lean(self, universe: Universe, styles: StylesByDay) -> None:
        """Take down what the next day's return is explained by."""
        industry = universe.industry[self.day.row]
        self.held: Indices = np.flatnonzero((self.weights != 0) | (self.benchmark != 0))
        completed, _ = complete_exposures(styles, self.day.row, self.held, industry)
        self.active: Float64 = self.weights[self.held] - self.invested * self.benchmark[self.held]
        self.exposures = matrix(completed, len(self.held))
        self.group: Indices = _groups(universe, self.day.row)[self.held]


def stock_returns(day: TradingDay, last: Float64, reference: Float64, haircut: float) -> Float64:
    """Returns (N,) of a day from last closes and those of the day before in its share terms; −haircut of the delisted,
    0 where neither price is known."""
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.where(day.listed, last / reference - 1.0, -haircut))


def explain(before: Close, close: Close, panel: Panel, universe: Universe, styles: StylesByDay) -> Float64:
    """Contributions (K + G + 1,) of styles, industries and stocks to Σ active weight × return, see `factor_names`."""
    groups = len(universe.industries) + 1
    factors = _factors(before, close, panel, universe, styles, groups)
    style = (before.exposures * before.active).sum(axis=1) * factors.styles
    industry = np.bincount(before.group, before.active, groups) * factors.industries
    rest = close.returns[before.held] - factors.fitted(before.exposures, before.group)
    return np.concatenate((style, industry, [float((before.active * rest).sum())]))


def _groups(universe: Universe, row: int) -> Indices:
    """Industry (N,) of a day; the last number is that of unknown ones."""
    return np.asarray(universe.industry[row].astype(np.intp) % (len(universe.industries) + 1))


def _factors(
    before: Close, close: Close, panel: Panel, universe: Universe, styles: StylesByDay, groups: int
) -> FactorReturns:
    """Factor returns of a day over all stocks that traded on it and the day before, with all exposures and a value."""
    row = before.day.row
    cap = _market_value(panel, row)
    known = before.day.traded & close.day.traded & close.day.listed & np.isfinite(close.returns) & (cap > 0)
    exposures = np.array([values[row] for values in styles.values()], dtype=np.float64).reshape(len(styles), len(cap))
    at = np.flatnonzero(known & np.isfinite(exposures).all(axis=0))
    return estimate(close.returns[at], exposures[:, at], _groups(universe, row)[at], cap[at], groups)


def _market_value(panel: Panel, row: int) -> Float64:
    """Float market value (N,), else the total one, else 1 each; NaN = none known."""
    for name in ("float_mv", "total_mv"):
        if name in panel.fields:
            return np.asarray(panel[name][row], dtype=np.float64)
    return np.ones(panel.shape[1])
