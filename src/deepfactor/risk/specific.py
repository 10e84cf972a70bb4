"""Specific risk: what a stock varies by beyond the factors.

A stock's own history (exponential weights, Newey and West) counts the more the longer it is; what it lacks is a
**structural** estimate, the regression of the others' log specific risk on industries and styles. The two together are
drawn towards the mean of the stock's size group, since the highest and the lowest come from chance most, and scaled by
the regime, as factors are. Source: Menchero, Orr, Wang, USE4 Methodology Notes, 2011, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepfactor.core.arrays import Float64, Indices, Ints
from deepfactor.cross_section.regression import weighted_fit
from deepfactor.risk.covariance import YEAR, Regime
from deepfactor.risk.decayed import Moments, decay_of
from deepfactor.risk.settings import RiskSettings

#: Days of history below which it says nothing, and from which on it says all.
LEAST_DAYS, FULL_DAYS = 60, 180
#: Groups of equal number by market value.
SIZE_GROUPS = 10
#: A squared bias of one stock and day counts up to this: (10 standard deviations)².
_MOST_BIAS = 100.0


@dataclass(frozen=True)
class SpecificState:
    """What specific risk is computed from, of N stocks; `recent` (L + 1, N) specific returns, today's first."""

    moments: Moments
    recent: Float64
    days: Ints
    regime: Regime

    @classmethod
    def none(cls, stocks: int, settings: RiskSettings) -> SpecificState:
        """Before the first day."""
        lags = settings.specific_lags
        recent = np.full((lags + 1, stocks), np.nan)
        return cls(Moments.none(stocks, lags), recent, np.zeros(stocks, np.int64), Regime())

    def after(self, returns: Float64, cap: Float64, settings: RiskSettings) -> SpecificState:
        """A day later, with the day's specific returns (N,), NaN = none; `cap` (N,) market values of the day before."""
        recent = np.vstack([returns, self.recent[:-1]])
        return replace(
            self,
            moments=self.moments.after(recent, decay_of(settings.specific_half_life)),
            recent=recent,
            days=self.days + np.isfinite(returns),
            regime=self.regime.after(self.squared_bias(returns, cap), decay_of(settings.regime_half_life)),
        )

    def squared_bias(self, returns: Float64, cap: Float64) -> float:
        """Cap-weighted mean of (return ÷ forecast of a day)² over the stocks that have both; NaN without any."""
        there = np.flatnonzero((self.days >= LEAST_DAYS) & np.isfinite(returns) & (self.moments.sums[0] > 0))
        if not len(there):
            return float("nan")
        variance = self.moments.sums[0][there] / self.moments.weight[there]
        squared = np.minimum(returns[there] ** 2 / variance, _MOST_BIAS)
        return float((cap[there] * squared).sum() / cap[there].sum())

    def volatility(self, stocks: Stocks, settings: RiskSettings) -> Float64:
        """Specific standard deviation a year, (n,), of `stocks`; NaN for all where too few have a history."""
        at = stocks.columns
        moments = Moments(self.moments.weight[at], self.moments.sums[:, at])
        own = np.sqrt(moments.newey_west())
        trust = np.clip((self.days[at] - LEAST_DAYS) / (FULL_DAYS - LEAST_DAYS), 0.0, 1.0)
        trust = np.where(own > 0, trust, 0.0)  # NaN too
        if not (trust > 0).any():
            return np.full(len(at), np.nan)
        deviation = np.where(trust > 0, trust * np.nan_to_num(own), 0.0) + (1 - trust) * _structural(own, trust, stocks)
        return np.asarray(_shrunk(deviation, stocks.cap, settings.shrinkage) * self.regime.multiplier * np.sqrt(YEAR))


@dataclass(frozen=True)
class Stocks:
    """Stocks of a day: their columns (n,), groups (n,) of `groups`, exposures (K, n), market values (n,)."""

    columns: Indices
    group: Indices
    groups: int
    exposures: Float64
    cap: Float64


def _structural(own: Float64, trust: Float64, stocks: Stocks) -> Float64:
    """(n,) what stocks of such an industry and such styles have; the mean where too few say so."""
    sure = np.flatnonzero(trust == trust.max())
    root = np.sqrt(stocks.cap)
    mean = float((root[sure] * own[sure]).sum() / root[sure].sum())
    if len(sure) < 2 * (len(stocks.exposures) + stocks.groups):
        return np.full(len(own), mean)
    log = np.log(own[sure])
    fit = weighted_fit(log, stocks.exposures[:, sure], stocks.group[sure], root[sure], stocks.groups)
    level = np.where(fit.known, fit.levels, float((root[sure] * log).sum() / root[sure].sum()))
    said = np.exp(level[stocks.group] + (fit.slopes[:, None] * stocks.exposures).sum(axis=0))
    # The exponential of a mean log lies below the mean; nobody is said to be beyond all that have a history.
    said = said * (root[sure] * own[sure]).sum() / (root[sure] * said[sure]).sum()
    return np.asarray(np.clip(said, own[sure].min(), own[sure].max()))


def _shrunk(deviation: Float64, cap: Float64, strength: float) -> Float64:
    """(n,) drawn towards the cap-weighted mean of the size group, the more the farther from it."""
    n = len(cap)
    group = np.empty(n, dtype=np.intp)
    group[np.argsort(cap, kind="stable")] = np.arange(n) * SIZE_GROUPS // n
    weight = np.bincount(group, cap, SIZE_GROUPS)
    mean = (np.bincount(group, cap * deviation, SIZE_GROUPS) / np.where(weight > 0, weight, 1.0))[group]
    distance = np.abs(deviation - mean)
    count = np.maximum(np.bincount(group, minlength=SIZE_GROUPS), 1)
    spread = np.sqrt(np.bincount(group, distance**2, SIZE_GROUPS) / count)[group]
    draw = strength * distance / np.where(spread > 0, spread + strength * distance, 1.0)
    return np.asarray(draw * mean + (1 - draw) * deviation)
