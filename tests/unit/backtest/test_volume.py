"""Average daily volume: the twenty days up to the signal, by plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.signals import average_daily_volume
from support.portfolio import BestScores, random_scores
from support.toy import INDEX, toy_market


@pytest.mark.parametrize("row", [0, 5, 19, 40])
def test_mean_amount_of_the_days_up_to_the_row(row: int) -> None:
    panel, _ = toy_market(45, 12, seed=3)
    found = average_daily_volume(panel, row)
    for i in range(12):
        days = range(max(row - 19, 0), row + 1)
        amounts = [float(panel["vwap"][t, i]) * float(panel["volume"][t, i]) for t in days]
        known = [amount for amount in amounts if np.isfinite(amount)]
        assert found[i] == pytest.approx(sum(known) / len(days), rel=1e-12)


def test_a_market_without_volume_has_none() -> None:
    panel, _ = toy_market(30, 12, seed=3)
    assert average_daily_volume(replace(panel, fields={"vwap": panel["vwap"]}), 20) is None


def test_the_optimiser_is_told_volume_and_value() -> None:
    panel, universe = toy_market(45, 12, seed=3)
    enhancer = BestScores(5)
    run_backtest(
        panel, universe, random_scores(panel), {}, enhancer, INDEX, BacktestSettings(capital=1e6),
        eligible=universe.traded & ~universe.st,
    )  # fmt: skip
    assert enhancer.asked[0].value == pytest.approx(1e6)
    for r in enhancer.asked:
        row = int(np.searchsorted(panel.dates, r.date))
        names = np.searchsorted(panel.symbols, r.symbols)
        np.testing.assert_array_equal(r.adv, average_daily_volume(panel, row)[names])
