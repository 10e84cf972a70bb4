"""A market whose covariance is known: returns made from factors and noise of given sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepfactor.risk.estimation import Market
from support.toy import toy_market, weekdays

GROUPS = 4


@dataclass(frozen=True)
class KnownMarket:
    """A market and its truth a day: covariance (k, k) of market, industries and styles, specific variances (N,)."""

    market: Market
    covariance: np.ndarray
    specific: np.ndarray

    def variance(self, active: np.ndarray) -> float:
        """Of active weights (N,), a year."""
        exposure = self.exposures @ active
        return float(252 * (exposure @ self.covariance @ exposure + (self.specific * active**2).sum()))

    @property
    def exposures(self) -> np.ndarray:
        """(k, N) of the last day."""
        industry = self.market.universe.industry[-1]
        dummies = (np.arange(GROUPS)[:, None] == industry).astype(float)
        styles = [x[-1].astype(float) for x in self.market.styles.values()]
        return np.vstack([np.ones(len(industry)), dummies, *styles])


def known_market(days: int = 900, stocks: int = 300, seed: int = 0) -> KnownMarket:
    """Exposures that stay; one of the two styles varies with the market; specific risk rises with the second."""
    rng = np.random.default_rng(seed)
    panel, universe = toy_market(days, stocks, seed)
    yes = np.ones(panel.shape, bool)
    industry = np.repeat(np.arange(stocks)[None] % GROUPS, days, axis=0).astype(np.int16)
    styles = rng.standard_normal((2, stocks))
    mixing = 0.01 * np.diag([1.3, *[0.8] * GROUPS, 0.4, 0.5])
    mixing[-2, 0] = 0.003
    factors = rng.standard_normal((days, len(mixing))) @ mixing.T
    specific = (0.02 * np.exp(0.2 * styles[1])) ** 2
    dummies = (np.arange(GROUPS)[:, None] == industry[0]).astype(float)
    exposures = np.vstack([np.ones(stocks), dummies, styles])
    returns = factors @ exposures + rng.standard_normal((days, stocks)) * np.sqrt(specific)
    close = 10 * np.cumprod(1 + returns, axis=0)
    size = np.exp(rng.standard_normal(stocks))
    fields = {"close": close, "adj_factor": np.ones(panel.shape), "float_mv": np.repeat(1e9 * size[None], days, axis=0)}
    panel = replace(panel, dates=weekdays(days), fields=fields)
    names = tuple(f"industry {g}" for g in range(GROUPS))
    universe = replace(universe, listed=yes, traded=yes, industry=industry, industries=names)
    exposures_by_day = {
        name: np.repeat(x[None].astype(np.float32), days, axis=0) for name, x in zip("AB", styles, strict=True)
    }
    return KnownMarket(Market(panel, universe, exposures_by_day), mixing @ mixing.T, specific)
