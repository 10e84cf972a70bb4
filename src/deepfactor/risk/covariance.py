"""Covariance of factors, from their returns up to a day.

Standard deviations and correlations have half-lives of their own, both with Newey and West's correction, since returns
of a factor are correlated from day to day. The **volatility regime adjustment** scales all of it by how far yesterday's
forecasts have been off of late: λ² = mean over days of the factors' mean squared (return ÷ forecast). Source: Menchero,
Orr, Wang, The Barra US Equity Model (USE4), Methodology Notes, 2011, sections 4.1 to 4.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.core.arrays import Float64, Ints
from deepfactor.risk.decayed import Moments, decay_of
from deepfactor.risk.settings import RiskSettings

YEAR = 252
#: Days of returns from which on a series has a variance of its own; with fewer the mean of its like stands in for the
#: rest, and without as many of the market's there is no model.
ENOUGH = 63
#: Days that λ = 1 weighs at the start.
_PRIOR_DAYS = 21.0
#: A variance a day below which there is rounding alone.
_NOTHING = 1e-16
#: Least eigenvalue of a correlation matrix.
_FLAT = 1e-6


@dataclass(frozen=True)
class Regime:
    """λ² as a weighted mean of squared bias statistics: `sum` and `weight`."""

    sum: float = _PRIOR_DAYS
    weight: float = _PRIOR_DAYS

    def after(self, squared_bias: float, decay: float) -> Regime:
        """A day later; NaN = no forecast that day, which changes nothing."""
        if not np.isfinite(squared_bias):
            return self
        return Regime(decay * self.sum + squared_bias, decay * self.weight + 1.0)

    @property
    def multiplier(self) -> float:
        """λ: of standard deviations."""
        return float(np.sqrt(self.sum / self.weight))


@dataclass(frozen=True)
class FactorState:
    """What the covariance of k factors is computed from; `recent` (L + 1, k) returns, today's first; `days` known."""

    volatility: Moments
    correlation: Moments
    recent: Float64
    days: Ints
    regime: Regime

    @classmethod
    def none(cls, k: int, settings: RiskSettings) -> FactorState:
        """Before the first day."""
        lags = max(settings.volatility_lags, settings.correlation_lags)
        return cls(
            Moments.none(k, settings.volatility_lags),
            Moments.none(k, settings.correlation_lags, pairs=True),
            np.full((lags + 1, k), np.nan),
            np.zeros(k, np.int64),
            Regime(),
        )

    def after(self, returns: Float64, settings: RiskSettings) -> FactorState:
        """A day later, with the day's factor returns (k,), NaN = no such factor that day."""
        recent = np.vstack([returns, self.recent[:-1]])
        return replace(
            self,
            volatility=self.volatility.after(recent, decay_of(settings.volatility_half_life)),
            correlation=self.correlation.after(recent, decay_of(settings.correlation_half_life)),
            recent=recent,
            days=self.days + np.isfinite(returns),
            regime=self.regime.after(self.squared_bias(returns), decay_of(settings.regime_half_life)),
        )

    def squared_bias(self, returns: Float64) -> float:
        """Mean of (return ÷ forecast of a day)² over the factors that have both; NaN without any."""
        variance = self.volatility.variance()
        there = (self.days >= ENOUGH) & np.isfinite(returns) & (variance > 0)
        return float((returns[there] ** 2 / variance[there]).mean()) if there.any() else float("nan")

    def covariance(self, alike: Sequence[slice]) -> Float64:
        """(k, k) a year. `alike`: runs of factors of one sort, such as the industries.

        A factor that was hardly ever there has the mean variance of its like, and no correlation.
        """
        own = np.clip(self.days / ENOUGH, 0.0, 1.0)
        variance = self.volatility.newey_west()
        for run in alike:
            full = self.days[run] >= ENOUGH
            known = np.isfinite(variance[run])
            base = full if full.any() else known
            mean = float(variance[run][base].mean()) if base.any() else 0.0
            variance[run] = np.where(known, own[run] * variance[run] + (1 - own[run]) * mean, mean)
        deviation = np.sqrt(variance) * self.regime.multiplier * np.sqrt(YEAR)
        return np.asarray(_correlation(self.correlation.newey_west(), own) * np.outer(deviation, deviation))


def _correlation(covariance: Float64, own: Float64) -> Float64:
    """Correlations, drawn to 0 by how much history (k,) of its own a factor has; no negative eigenvalue."""
    diagonal = np.diagonal(covariance)
    ready = np.isfinite(diagonal) & (diagonal > _NOTHING)
    scale = np.sqrt(np.where(ready, diagonal, 1.0))
    out = np.where(ready[:, None] & ready, np.nan_to_num(covariance) / np.outer(scale, scale), 0.0)
    out = np.clip(out, -1.0, 1.0) * np.outer(own, own)
    np.fill_diagonal(out, 1.0)
    values, vectors = np.linalg.eigh(out)
    if values[0] >= _FLAT:
        return np.asarray(out)
    out = (vectors * np.maximum(values, _FLAT)) @ vectors.T
    scale = np.sqrt(np.diagonal(out))
    return np.asarray(out / np.outer(scale, scale))
