"""The loop with the real optimiser: what was asked for, and what the book became."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import load_preset
from support.portfolio import random_scores
from support.toy import INDEX, toy_market


@pytest.mark.parametrize("study", ["study_a", "study_b"])
def test_targets_hold_their_sum_and_the_book_follows_them(study: str) -> None:
    panel, universe = toy_market(60, 120, seed=5)
    preset = load_preset(study)
    styles = {"SIZE": np.log(panel["float_mv"])}
    eligible = universe.traded & ~universe.st
    result = run_backtest(
        panel, universe, random_scores(panel), styles, IndexEnhancer(preset), INDEX,
        BacktestSettings(fill=preset.fill, costs=preset.costs), eligible=eligible,
    )  # fmt: skip
    w, missed, trades = result.weights, result.rejected, result.trades
    settled = trades.symbol[trades.reason == "delisting"]
    for date, fill_date in zip(result.rebalances.date, result.rebalances.fill_date, strict=True):
        rows = w.date == date
        assert w.weight[rows].sum() == pytest.approx(1 - preset.cash, abs=1e-9)
        assert w.benchmark_weight[rows].sum() == pytest.approx(1.0, abs=1e-9)
        if np.isnat(fill_date):
            assert np.isnan(w.realised_weight[rows]).all()
            continue
        refused = missed.symbol[(missed.date == fill_date) & (missed.reason != "cash")]
        filled = rows & ~np.isin(w.symbol, refused) & ~np.isin(w.symbol, settled)
        # A lot of a toy stock is at most 0.1 % of the book; a day's move adds a little.
        np.testing.assert_allclose(w.realised_weight[filled], w.weight[filled], atol=0.004)
    assert np.isin(result.relaxations.date, result.rebalances.date).all()
    assert (result.relaxations.reason != "").all()
