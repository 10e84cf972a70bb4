"""The null market: nothing to be found, so whatever is found is an artefact of the simulation or of the tests."""

from __future__ import annotations

import datetime as dt

import numpy as np

from deepfactor.core.arrays import Bools, Float64
from deepfactor.evaluation.ic import information_coefficients
from deepfactor.labels import neutral_return
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.universe import UniverseRule
from deepfactor.pipeline.markets import Market
from deepfactor.sources.simulated import Settings
from research.learning.measures import HORIZON, MIN_NAMES, mean

#: Who is tested: young stocks too, so that two years of market hold more than one of tests.
RULE = UniverseRule(window=60, min_observed=60)


def settings(seed: int) -> Settings:
    """A null market of 500 stocks and two years."""
    return Settings(stocks=500, start=dt.date(2019, 1, 2), end=dt.date(2020, 12, 31), alpha=0.0, seed=seed)


def classic_factors(panel: Panel) -> dict[str, Float64]:
    """Single factors (T, N) that need no fit; NaN where a window is incomplete."""
    turnover = panel["turnover"].astype(np.float64)
    month = trailing_mean(turnover, 20)
    daily = trailing_return(panel, 1)
    factors = {f"minus {days}-day return": -trailing_return(panel, days) for days in (1, 5, 20, 60)}
    factors["20-day volatility"] = np.sqrt(np.maximum(trailing_mean(daily**2, 20) - trailing_mean(daily, 20) ** 2, 0))
    factors["ln float cap"] = np.log(panel.market_cap("float").astype(np.float64))
    factors["ln 20-day turnover"] = np.log(np.where(month > 0, month, np.nan))
    factors["turnover / its 20-day mean"] = turnover / month
    return factors


def trailing_mean(x: Float64, days: int) -> Float64:
    """Mean of the last `days` rows, the row itself included; NaN where one of them is."""
    out = np.full(x.shape, np.nan)
    out[days - 1 :] = np.lib.stride_tricks.sliding_window_view(x, days, axis=0).mean(axis=-1)
    return out


def rank_ics(market: Market) -> dict[str, float]:
    """Mean RankIC of each classic factor with the neutralised 10-day return."""
    eligible: Bools = market.universe.eligible(RULE)
    label = neutral_return.compute(neutral_return.Settings(horizon=HORIZON), market.panel, market.universe, eligible)
    return {
        name: mean(information_coefficients(values, label, eligible, min_names=MIN_NAMES).rank_ic)
        for name, values in classic_factors(market.panel).items()
    }
