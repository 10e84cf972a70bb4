"""A day of an account, explained: the day of a backtest's attribution; the parts add to held less index."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.attribution import attribute
from deepfactor.backtest.day_return import day_return
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.market.fees import Costs
from deepfactor.panel.panel import Panel
from support.portfolio import BestScores, random_scores
from support.toy import INDEX, toy_market

SETTINGS = BacktestSettings(capital=1e7, fill="next_vwap", costs=Costs(rate=0.001))


def ratio(panel: Panel, row: int) -> np.ndarray:
    now, then = (np.asarray(panel["adj_factor"][k], dtype=float) for k in (row, row - 1))
    both = np.isfinite(now) & np.isfinite(then)
    return np.where(both, now, 1.0) / np.where(both, then, 1.0)


def test_a_day_is_that_of_the_backtests_attribution() -> None:
    panel, universe = toy_market(120, 40, seed=7)
    styles = {"SIZE": np.log(panel["float_mv"]), "X": np.random.default_rng(7).standard_normal(panel.shape)}
    scores = random_scores(panel, 7)
    result = run_backtest(panel, universe, scores, styles, BestScores(6), INDEX, SETTINGS, eligible=universe.traded)
    found = attribute(result, panel, universe, styles, SETTINGS.haircut)
    first = int(np.searchsorted(panel.dates, result.dates[0]))
    shares, compared = np.zeros(40), 0
    for k in range(1, len(result.dates)):
        if shares.any():
            row = first + k
            made = day_return(shares, result.cash[k - 1], panel, universe, INDEX, row, styles, SETTINGS.haircut)
            assert made.date == result.dates[k]
            want = dict(zip(found.sources, found.contribution[k], strict=True))
            for source, value in zip(made.sources, made.contribution, strict=True):
                part = ("cash_and_rounding", "cash") if source == ("cash", "cash") else source
                assert value == pytest.approx(want[part], abs=1e-12), source
            assert made.contribution.sum() == pytest.approx(made.held - made.replica, abs=1e-14)
            assert sum(made.parts().values()) == pytest.approx(made.held - made.replica, abs=1e-14)
            assert made.replica == pytest.approx(result.replica_nav[k] / result.replica_nav[k - 1] - 1.0, abs=1e-12)
            compared += 1
        today = result.trades.date == result.dates[k]
        shares = shares * ratio(panel, first + k)
        side = np.where(result.trades.side[today] == "buy", 1.0, -1.0)
        np.add.at(
            shares, np.searchsorted(panel.symbols, result.trades.symbol[today]), side * result.trades.shares[today]
        )
        shares[np.abs(shares) < 1e-6] = 0.0
    assert compared > 60


def test_an_account_of_nothing_and_a_first_day_have_no_return() -> None:
    panel, universe = toy_market(20, 10, seed=1)
    with pytest.raises(ValueError, match="nothing"):
        day_return(np.zeros(10), 0.0, panel, universe, INDEX, 5, {})
    with pytest.raises(ValueError, match="first day"):
        day_return(np.ones(10), 1.0, panel, universe, INDEX, 0, {})
