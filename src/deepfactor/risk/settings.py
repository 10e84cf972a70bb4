"""What a risk model is made by."""

from __future__ import annotations

from pydantic import Field

from deepfactor.core.spec import Spec


class RiskSettings(Spec):
    """Half-lives and lags in trading days; lags are those of Newey and West."""

    volatility_half_life: float = Field(
        default=84.0, ge=5.0, le=2500.0, description="half-life of factors' standard deviations"
    )
    volatility_lags: int = Field(default=5, ge=0, le=20, description="lags of factors' standard deviations")
    correlation_half_life: float = Field(
        default=252.0, ge=5.0, le=2500.0, description="half-life of factors' correlations"
    )
    correlation_lags: int = Field(default=2, ge=0, le=20, description="lags of factors' correlations")
    regime_half_life: float = Field(
        default=42.0,
        ge=5.0,
        le=2500.0,
        description="half-life with which forecasts follow when all volatilities rise or fall at once",
    )
    specific_half_life: float = Field(
        default=84.0, ge=5.0, le=2500.0, description="half-life of what no factor explains of a stock"
    )
    specific_lags: int = Field(default=5, ge=0, le=20, description="lags of what no factor explains of a stock")
    shrinkage: float = Field(
        default=0.1,
        ge=0.0,
        le=10.0,
        description="how strongly a stock's specific risk is drawn towards the mean of its size group "
        "(q of Menchero, Orr, Wang, USE4 Methodology, 2011)",
    )
