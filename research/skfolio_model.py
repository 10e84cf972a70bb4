"""skfolio's characteristics factor model, as far as it forecasts: its estimators on the same regression's returns.

The daily regression of both is the same (√market value as weights, industries that sum to zero by market value, the
exposures of the day before: `tests/unit/risk/test_skfolio.py`), and a fit of skfolio's on ten years of 4,996 stocks
would hold 5 GB of exposures. So the regression is done once, and what `CharacteristicsFactorModel` does by default is
done to its returns: `RegimeAdjustedEWCovariance` to those of factors, `RegimeAdjustedEWVariance` to those of stocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from skfolio.moments import RegimeAdjustedEWCovariance, RegimeAdjustedEWVariance

from deepfactor.core.arrays import Float32, Float64, Floats, Indices
from deepfactor.panel.universe import Universe
from deepfactor.risk.estimation import Market
from deepfactor.risk.forecast import Forecast
from deepfactor.risk.model import RiskModel
from deepfactor.styles.completion import complete_exposures

YEAR = 252


@dataclass(frozen=True)
class SkfolioModel:
    """By row: covariance of the factors (k, k), NaN-free, and specific deviations (N,), NaN = none, both a year."""

    factors: tuple[str, ...]
    days: Mapping[int, tuple[Float64, Float32]]

    def of_market(self, row: int, names: Indices, universe: Universe, styles: Mapping[str, Floats]) -> Forecast:
        """As `RiskModel.of_market`: the same exposures."""
        industry = universe.industry[row]
        exposures, _ = complete_exposures(styles, row, names, industry)
        covariance, deviation = self.days[row]
        group = industry[names].astype(np.intp)
        return Forecast.of(self.factors, covariance, deviation[names].astype(np.float64), group, exposures)


def follow(market: Market, model: RiskModel, rest: Float32, rows: Indices) -> SkfolioModel:
    """The estimators, day by day, as they stand at the close of each of `rows` (ascending); `rest` (T, N) are specific
    returns, NaN = none."""
    factors, stocks = RegimeAdjustedEWCovariance(), RegimeAdjustedEWVariance()
    returns, listed = np.asarray(model.returns, dtype=np.float64), np.asarray(market.universe.listed)
    begin, days = int(np.flatnonzero(np.isfinite(returns[:, 0]))[0]), {}
    for row in rows.tolist():
        new = slice(begin, row + 1)
        factors.partial_fit(returns[new], active_mask=np.isfinite(returns[new]))
        stocks.partial_fit(rest[new].astype(np.float64), active_mask=listed[new])
        covariance = np.nan_to_num(factors.covariance_) * YEAR
        days[row] = (covariance, np.sqrt(stocks.variance_ * YEAR).astype(np.float32))
        begin = row + 1
    return SkfolioModel(model.factors, days)
