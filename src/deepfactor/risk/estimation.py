"""From a market to the risk model of each day, one day after the other.

The return of day t is explained by what was known at the close before: industries, styles, market values of day t − 1.
What row t says (factor returns, covariance, specific risk) is a function of rows up to t.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Indices
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.risk.covariance import ENOUGH, FactorState
from deepfactor.risk.factor_returns import estimate, matrix
from deepfactor.risk.settings import RiskSettings
from deepfactor.risk.specific import SpecificState, Stocks
from deepfactor.styles.base import StylesByDay
from deepfactor.styles.completion import complete_exposures

MARKET, UNKNOWN = "market", "unknown"
#: Days looked back on, on `ENOUGH` of which a stock must have traded to have a say in factor returns: a new one's first
#: days at the limit are no factor's.
_WINDOW = 252
#: Stocks a factor below which a day's regression isn't made.
_LEAST_STOCKS = 3


@dataclass(frozen=True)
class Market:
    """What a risk model is made of: all aligned, row t known at the close of t; `styles` of name to (T, N)."""

    panel: Panel
    universe: Universe
    styles: StylesByDay

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors: the market, industries, the group of those without one, styles."""
        return (MARKET, *self.universe.industries, UNKNOWN, *self.styles)

    @property
    def groups(self) -> int:
        """Number of industries and the group of those without one."""
        return len(self.universe.industries) + 1

    def market_value(self, row: int) -> Float64:
        """Float market value (N,), else the total one, else 1 each; NaN = none known."""
        for name in ("float_mv", "total_mv"):
            if name in self.panel.fields:
                return np.asarray(self.panel[name][row], dtype=np.float64)
        return np.ones(self.panel.shape[1])

    def returns(self, row: int) -> Float64:
        """(N,) close of the day before → close of `row`; NaN unless traded on both days."""
        close, factor = (self.panel[name][row - 1 : row + 1].astype(np.float64) for name in ("close", "adj_factor"))
        price = close * factor
        return np.asarray(np.where(self.universe.listed[row], price[1] / price[0] - 1.0, np.nan))

    def stocks(self, row: int) -> Stocks:
        """The listed stocks with a market value at the close of `row`, missing exposures filled in."""
        cap = self.market_value(row)
        at = np.flatnonzero(self.universe.listed[row] & (cap > 0))
        industry = self.universe.industry[row]
        exposures, _ = complete_exposures(self.styles, row, at, industry)
        group = industry[at].astype(np.intp) % self.groups  # −1 is the last
        return Stocks(at, group, self.groups, matrix(exposures, len(at)), cap[at])

    def of_styles(self, row: int, names: Indices) -> Float64:
        """(K,) how many of `names` have each style by themselves at the close of `row`."""
        return np.array([np.isfinite(values[row][names]).sum() for values in self.styles.values()])


@dataclass(frozen=True)
class State:
    """All that the next day needs of the days before: `rows` of them."""

    rows: int
    factors: FactorState
    specific: SpecificState

    @classmethod
    def none(cls, factors: int, stocks: int, settings: RiskSettings) -> State:
        """Before the first day."""
        return cls(0, FactorState.none(factors, settings), SpecificState.none(stocks, settings))


@dataclass(frozen=True)
class RiskDay:
    """What the model says at the close of a day; k factors.

    Attributes
    ----------
    returns : (k,) float64
        of the factors on the day; NaN = no stock had such a factor.
    explained : share of the stocks' √cap-weighted squared returns that the factors explain; NaN = no regression.
    covariance : (k, k) float64
        of factor returns, a year; all NaN until the market has returns of `ENOUGH` days.
    columns : (n,) stocks with a forecast
    specific : (n,) float64
        their specific standard deviation, a year.
    regimes : (2,)
        λ of factors and of stocks.
    """

    returns: Float64
    explained: float
    covariance: Float64
    columns: Indices
    specific: Float64
    regimes: Float64


def follow(market: Market, state: State, settings: RiskSettings) -> Iterator[tuple[RiskDay, State]]:
    """The days that `state` doesn't have yet, in order, each with the state behind it."""
    days, width = market.panel.shape
    if state.rows >= days:
        return
    # Where the data begin nobody has traded for long: half of the days there are.
    wanted = np.minimum(np.arange(days) // 2 + 1, ENOUGH)
    start = max(state.rows - _WINDOW, 0)  # what the first day to be made reads, the day before it, and its window
    seen = market.universe.between(start, days).observed(_WINDOW) >= wanted[start:, None]
    first, after_industries = 1, 1 + market.groups
    alike = (slice(first, after_industries), slice(after_industries, len(market.factors)))
    before = market.stocks(state.rows - 1) if state.rows else None
    for row in range(state.rows, days):
        factors = np.full(len(market.factors), np.nan)
        explained, rest, cap = np.nan, np.full(width, np.nan), np.ones(width)
        if before is not None:
            factors, explained = _explain(market, row, before, seen[row - 1 - start], rest)
            cap[before.columns] = before.cap
        state = replace(
            state,
            rows=row + 1,
            factors=state.factors.after(factors, settings),
            specific=state.specific.after(rest, cap, settings),
        )
        before = market.stocks(row)
        yield _day(state, factors, explained, before, alike, settings), state


def _day(
    state: State,
    returns: Float64,
    explained: float,
    stocks: Stocks,
    alike: tuple[slice, slice],
    settings: RiskSettings,
) -> RiskDay:
    k = len(returns)
    ready = state.factors.days[0] >= ENOUGH
    specific = state.specific.volatility(stocks, settings) if ready else np.full(len(stocks.columns), np.nan)
    known = np.isfinite(specific)
    return RiskDay(
        returns=returns,
        explained=explained,
        covariance=state.factors.covariance(alike) if ready else np.full((k, k), np.nan),
        columns=stocks.columns[known],
        specific=specific[known],
        regimes=np.array([state.factors.regime.multiplier, state.specific.regime.multiplier]),
    )


def _explain(market: Market, row: int, before: Stocks, seen: Bools, rest: Float64) -> tuple[Float64, float]:
    """Factor returns (k,) of a day and the share explained; fills `rest` (N,) with specific returns."""
    none = np.full(len(market.factors), np.nan), float("nan")
    returns = market.returns(row)[before.columns]
    there = np.flatnonzero(np.isfinite(returns))
    said = there[seen[before.columns[there]]]
    if len(said) < _LEAST_STOCKS * (len(np.unique(before.group[said])) + len(market.styles)) or not len(said):
        return none
    exposures, group, cap = before.exposures[:, said], before.group[said], before.cap[said]
    made = estimate(returns[said], exposures, group, cap, market.groups)
    left = returns[there] - made.fitted(before.exposures[:, there], before.group[there])
    rest[before.columns[there]] = left
    industries = np.where(np.bincount(group, minlength=market.groups) > 0, made.industries, np.nan)
    own = market.of_styles(row - 1, before.columns[said])
    styles = np.where(own >= _LEAST_STOCKS * len(market.styles), made.styles, np.nan)
    weight = np.sqrt(cap)
    inner = rest[before.columns[said]]
    explained = 1.0 - (weight * inner**2).sum() / max((weight * returns[said] ** 2).sum(), 1e-300)
    return np.concatenate(([made.market], industries, styles)), float(explained)
