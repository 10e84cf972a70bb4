"""Forecasts against a market whose covariance is known; what forecasts of portfolios are made of adds up."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.risk.estimation import State, follow
from deepfactor.risk.forecast import Forecast
from deepfactor.risk.opening import open_model
from deepfactor.risk.settings import RiskSettings
from support.risk import KnownMarket, known_market

#: Nothing changes in the known market, so all of its past counts, and noise averages out.
LONG = RiskSettings(volatility_half_life=700, correlation_half_life=700, specific_half_life=700, regime_half_life=700)


@pytest.fixture(scope="module")
def known() -> KnownMarket:
    return known_market()


@pytest.fixture(scope="module")
def forecast(known: KnownMarket, tmp_path_factory: pytest.TempPathFactory) -> Forecast:
    model = open_model(tmp_path_factory.mktemp("model"), known.market, LONG)
    row, universe = len(model.dates) - 1, known.market.universe
    return model.of_market(row, np.arange(known.market.panel.shape[1]), universe, known.market.styles)


def portfolios(stocks: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    active = []
    for names in (10, 50, 150):
        w = np.zeros(stocks)
        w[rng.choice(stocks, names, replace=False)] = 1 / names
        active += [w, w - 1 / stocks]
    return active


@pytest.mark.parametrize("which", range(6))
def test_a_forecast_is_within_a_tenth_of_the_truth(known: KnownMarket, forecast: Forecast, which: int) -> None:
    active = portfolios(known.market.panel.shape[1])[which]
    assert forecast.tracking_error(active) == pytest.approx(np.sqrt(known.variance(active)), rel=0.1)


def test_specific_risk_is_that_of_each_stock(known: KnownMarket, forecast: Forecast) -> None:
    ratio = np.sqrt(forecast.specific / (252 * known.specific))
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert ratio.std() < 0.06


def test_parts_add_up(forecast: Forecast) -> None:
    active = portfolios(forecast.exposures.shape[1])[3]
    whole = forecast.tracking_error(active)
    dense = forecast.exposures.T @ forecast.covariance @ forecast.exposures + np.diag(forecast.specific)
    assert whole == pytest.approx(np.sqrt(active @ dense @ active), rel=1e-12)
    np.testing.assert_allclose(forecast.times(active), dense @ active, rtol=1e-9, atol=1e-15)
    assert forecast.name_contributions(active).sum() == pytest.approx(whole)
    specific = forecast.specific_share(active) * whole
    assert forecast.factor_contributions(active).sum() + specific == pytest.approx(whole)
    step = 1e-6
    k = len(forecast.factors) - 1
    name = int(np.argmax(np.abs(forecast.exposures[k])))
    moved = active.copy()
    moved[name] += step
    own = forecast.specific[name] * active[name] / whole
    want = forecast.exposures[:, name] @ forecast.factor_marginal(active) + own
    assert (forecast.tracking_error(moved) - whole) / step == pytest.approx(want, rel=1e-3)


def test_no_active_weight_is_no_risk(forecast: Forecast) -> None:
    nothing = np.zeros(forecast.exposures.shape[1])
    assert forecast.tracking_error(nothing) == 0.0
    assert forecast.specific_share(nothing) == 0.0
    assert not forecast.factor_contributions(nothing).any()
    assert not forecast.name_contributions(nothing).any()


@pytest.mark.slow
def test_a_new_stock_has_the_risk_of_its_like(known: KnownMarket) -> None:
    """Its first day has no history: industry and styles say what it has."""
    market = known.market
    state = State.none(len(market.factors), market.panel.shape[1], LONG)
    newcomer = 7
    market.universe.listed[:-1, newcomer] = False
    market.universe.traded[:-1, newcomer] = False
    try:
        day = [day for day, _ in follow(market, state, LONG)][-1]
    finally:
        market.universe.listed[:-1, newcomer] = True
        market.universe.traded[:-1, newcomer] = True
    got = day.specific[list(day.columns).index(newcomer)]
    assert got == pytest.approx(np.sqrt(252 * known.specific[newcomer]), rel=0.1)


@pytest.mark.slow
def test_no_forecast_says_since_when_there_is_one(known: KnownMarket, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = open_model(tmp_path_factory.mktemp("early"), known.market, LONG)
    names = np.arange(5)
    with pytest.raises(DataError, match=f"its first is of {known.market.panel.dates[63]}"):
        model.of_market(10, names, known.market.universe, known.market.styles)
    with pytest.raises(DataError, match="has the styles A, B, not A"):
        model.of_market(500, names, known.market.universe, {"A": known.market.styles["A"]})
