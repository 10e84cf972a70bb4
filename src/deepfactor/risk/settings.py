"""What a risk model is made by."""

from __future__ import annotations

from pydantic import Field

from deepfactor.core.spec import Spec


class RiskSettings(Spec):
    """Half-lives and lags in trading days.

    `volatility_half_life`, `volatility_lags` are of factors' standard deviations, `correlation_…` of their
    correlations, `specific_…` of what no factor explains; lags are those of Newey and West. `regime_half_life`: how
    fast forecasts follow when all volatilities rise or fall at once. `shrinkage`: how strongly a stock's specific risk
    is drawn towards the mean of its size group (q of Menchero, Orr, Wang, USE4 Methodology, 2011).
    """

    volatility_half_life: float = Field(default=84.0, ge=5.0, le=2500.0)
    volatility_lags: int = Field(default=5, ge=0, le=20)
    correlation_half_life: float = Field(default=252.0, ge=5.0, le=2500.0)
    correlation_lags: int = Field(default=2, ge=0, le=20)
    regime_half_life: float = Field(default=42.0, ge=5.0, le=2500.0)
    specific_half_life: float = Field(default=84.0, ge=5.0, le=2500.0)
    specific_lags: int = Field(default=5, ge=0, le=20)
    shrinkage: float = Field(default=0.1, ge=0.0, le=10.0)
