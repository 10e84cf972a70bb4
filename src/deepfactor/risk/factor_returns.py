"""One day's factor returns: stock returns regressed on industries and styles (as Barra and its users do)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Float64, Indices
from deepfactor.cross_section.regression import weighted_fit


@dataclass(frozen=True)
class FactorReturns:
    """Returns of a day's factors.

    Attributes
    ----------
    styles : (K,)
        of one unit of exposure; 0 for a style that the day's stocks can't tell from the others.
    industries : (G,)
        of each group beyond the market's; 0 for a group without a stock in the regression.
    market : float
        cap-weighted mean of the groups' returns.
    """

    styles: Float64
    industries: Float64
    market: float

    def fitted(self, exposures: Float64, group: Indices) -> Float64:
        """The part of stocks' returns that the factors explain, (n,), from exposures (K, n) and groups (n,)."""
        out: Float64 = self.market + self.industries[group] + (self.styles[:, None] * exposures).sum(axis=0)
        return out


def estimate(returns: Float64, exposures: Float64, group: Indices, cap: Float64, groups: int) -> FactorReturns:
    """Weighted least squares of returns (n,) on group dummies and exposures (K, n), weights √cap; no NaN anywhere.

    Industry returns are centred by market value, which makes the constant identifiable (Menchero, Orr, Wang, USE4
    Methodology, 2011).
    """
    fit = weighted_fit(returns, exposures, group, np.sqrt(cap), groups)
    share = np.bincount(group, cap, groups)
    market = float((share * fit.levels).sum() / share.sum()) if share.sum() > 0 else 0.0
    return FactorReturns(fit.slopes, np.where(fit.known, fit.levels - market, 0.0), market)


def matrix(exposures: Mapping[str, Float64], n: int) -> Float64:
    """Exposures by style as (K, n) float64, also for no style at all."""
    return np.array(list(exposures.values()), dtype=np.float64).reshape(len(exposures), n)
