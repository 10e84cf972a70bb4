"""Rows of the panel as days: factor ratios, tick prices, last known closes."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.days import days, last_close, tick_prices
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import can_trade
from deepfactor.panel.universe import Universe
from support.toy import toy_market


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    return toy_market(150, 60, seed=21)


@pytest.mark.parametrize("start", [0, 1, 37])
def test_days_are_the_rows_of_the_panel_whatever_the_blocks(market: tuple[Panel, Universe], start: int) -> None:
    panel, universe = market
    factor = panel["adj_factor"]
    buy, sell = can_trade(panel, universe, "vwap")
    close_buy, close_sell = can_trade(panel, universe, "close")
    splits = 0
    for t, day in zip(range(start, 150), days(panel, universe, range(start, 150), "vwap"), strict=True):
        assert day.row == t
        assert day.date == panel.dates[t]
        for i in range(60):
            known = t > 0 and factor[t, i] > 0 and factor[t - 1, i] > 0
            assert day.ratio[i] == (factor[t, i] / factor[t - 1, i] if known else 1.0)
        splits += int((day.ratio != 1).sum())
        np.testing.assert_array_equal(day.can_buy, buy[t])
        np.testing.assert_array_equal(day.can_sell, sell[t])
        np.testing.assert_array_equal(day.open_at_close, close_buy[t] & close_sell[t])
        np.testing.assert_allclose(day.close, np.round(panel["close"][t].astype(float), 2), rtol=1e-15)
        np.testing.assert_allclose(day.price, panel["vwap"][t], rtol=1e-7)
    assert splits > 5


@pytest.mark.parametrize("row", [0, 63, 64, 149])
def test_last_close_in_the_share_terms_of_the_row(market: tuple[Panel, Universe], row: int) -> None:
    panel, _ = market
    close, factor = panel["close"].astype(float), panel["adj_factor"]
    got = last_close(panel, row)
    for i in range(60):
        seen = np.flatnonzero(np.isfinite(close[: row + 1, i]))
        if not len(seen):
            assert np.isnan(got[i])
            continue
        last = seen[-1]
        both = factor[row, i] > 0 and factor[last, i] > 0
        scale = factor[row, i] / factor[last, i] if both else 1.0
        assert got[i] == pytest.approx(round(close[last, i], 2) / scale, rel=1e-12)


def test_last_close_of_a_stock_suspended_over_its_split() -> None:
    panel, _ = toy_market(20, 2, seed=0)
    panel["close"][10:, 0] = np.nan
    panel["adj_factor"][:, 0] = np.where(np.arange(20) < 15, 1.0, 2.0)
    assert last_close(panel, 19)[0] == pytest.approx(last_close(panel, 14)[0] / 2)


def test_ticks_are_whole_fen_and_averages_stay() -> None:
    prices = np.array([10.07, 1800.37, 0.1, 12.3456, 0.123456, np.nan], dtype=np.float32)
    got = tick_prices(prices)
    assert got[:3].tolist() == [10.07, 1800.37, 0.1]
    assert got[3:5].tolist() == [float(prices[3]), float(prices[4])]
    assert np.isnan(got[5])
