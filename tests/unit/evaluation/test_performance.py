from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from deepfactor.evaluation.definitions import PRESETS
from deepfactor.evaluation.performance import (
    annualised_return,
    by_calendar_year,
    daily_returns,
    drawdowns,
    excess_by_year,
    max_drawdown,
    sharpe_ratio,
)

A, B = PRESETS["study_a"], PRESETS["study_b"]


@pytest.fixture(scope="module")
def curves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2019-06-03", "2021-03-31").to_numpy().astype("datetime64[D]")
    own, other = np.exp(np.cumsum(0.01 * rng.standard_normal((2, len(dates))), axis=1))
    return own / own[0], other / other[0], dates


def test_a_year_is_365_days_for_study_a_and_252_trading_days_for_study_b():
    dates = np.datetime64("2019-01-01") + np.arange(0, 731)
    nav = np.linspace(1, 1.21, 731)
    assert annualised_return(nav, dates, A) == pytest.approx(1.21 ** (365 / 730) - 1)
    assert annualised_return(nav, dates, B) == pytest.approx(1.21 ** (252 / 730) - 1)
    assert annualised_return(np.stack([nav, nav**2], axis=1), dates, A) == pytest.approx([0.1, 0.21])
    assert np.isnan(annualised_return(nav[:1], dates[:1], A))


def test_years_chain_to_the_whole(curves):
    own, other, dates = curves
    years = by_calendar_year(own, dates)
    assert list(years) == [2019, 2020, 2021]
    assert np.prod([curve[-1] for curve in years.values()]) == pytest.approx(own[-1])
    ratio = excess_by_year(own, other, dates, B)
    assert np.prod([1 + x for x in ratio.values()]) == pytest.approx(own[-1] / other[-1])


def test_yearly_excess_by_either_definition(curves):
    own, other, dates = curves
    last = {name: pd.Series(nav, dates).groupby(dates.astype("datetime64[Y]")).last() for name, nav in
            (("own", own), ("other", other))}  # fmt: skip
    growth = {name: (s / s.shift(fill_value=1.0)).to_numpy() for name, s in last.items()}
    assert list(excess_by_year(own, other, dates, A).values()) == pytest.approx(growth["own"] - growth["other"])
    assert list(excess_by_year(own, other, dates, B).values()) == pytest.approx(growth["own"] / growth["other"] - 1)


def test_first_days_cost_belongs_to_the_first_year():
    nav = np.array([0.99, 1.0, 1.02])
    dates = np.array(["2019-12-30", "2019-12-31", "2020-01-02"], "datetime64[D]")
    assert by_calendar_year(nav, dates)[2019].tolist() == pytest.approx([1, 0.99, 1.0])


def test_drawdown_and_sharpe(curves):
    nav = np.array([1.0, 1.2, 0.9, 1.0, 1.3, 1.17])
    assert drawdowns(nav) == pytest.approx([0, 0, -0.25, -1 / 6, 0, -0.1])
    assert max_drawdown(nav) == pytest.approx(-0.25)
    returns = daily_returns(curves[0])
    assert sharpe_ratio(returns) == pytest.approx(pd.Series(returns).mean() / pd.Series(returns).std() * 252**0.5)
    assert np.isnan(sharpe_ratio(np.zeros(5)))
