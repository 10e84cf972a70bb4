"""Drawdown episodes against a walk along the curve; binding bounds counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.backtest.episodes import days_between, episodes
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.performance import binding_shares, summary
from deepfactor.backtest.result import BindingBounds
from support.portfolio import BestScores, random_scores
from support.toy import INDEX, toy_market, weekdays


def walk(ratio: np.ndarray) -> list[tuple[int, int, int | None, float]]:
    """(peak, trough, recovery, depth) of every drawdown, one day after the other."""
    out: list[tuple[int, int, int | None, float]] = []
    peak, trough = 0, None
    for t, x in enumerate(ratio):
        if x >= ratio[peak]:
            if trough is not None:
                out.append((peak, trough, t, ratio[trough] / ratio[peak] - 1))
            peak, trough = t, None
        elif trough is None or x < ratio[trough]:
            trough = t
    if trough is not None:
        out.append((peak, trough, None, ratio[trough] / ratio[peak] - 1))
    return sorted(out, key=lambda e: e[3])


@pytest.mark.parametrize("seed", range(8))
def test_episodes_are_those_of_a_walk(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratio = np.cumprod(1 + np.round(0.01 * rng.standard_normal(300) + 0.002, 3))
    dates = weekdays(300)
    want = walk(ratio)[:5]
    got = episodes(ratio, dates, 5)
    assert len(got) == len(want)
    for episode, (start, trough, recovery, depth) in zip(got, want, strict=True):
        assert (episode.start, episode.trough) == (dates[start], dates[trough])
        assert episode.depth == pytest.approx(depth, abs=1e-14)
        up = None if recovery is None else recovery - trough
        assert np.isnat(episode.recovery) == (recovery is None)
        assert days_between(episode, dates) == (trough - start, up)


def test_a_curve_that_never_falls_has_none() -> None:
    assert episodes(np.array([1.0, 1.0, 1.1]), weekdays(3), 5) == []


def test_binding_bounds_are_counted_and_names_pooled() -> None:
    panel, universe = toy_market(60, 30, seed=1)
    settings = BacktestSettings(capital=1e7)
    scores = random_scores(panel)
    result = run_backtest(panel, universe, scores, {}, BestScores(), INDEX, settings, eligible=universe.traded)
    days, (one, two) = result.rebalances.date, result.weights.symbol[:2]
    assert binding_shares(result) == []
    binding = BindingBounds(
        date=days[[0, 0, 0, 1]],
        constraint=np.array(["turnover", "stock", "stock", "stock"]),
        row=np.array(["two-sided", one, two, one]),
        bound=np.array([0.3, 0.01, -0.01, 0.01]),
        shadow_price=np.array([2.0, 1.0, -2.0, 3.0]),
    )
    share = 1 / len(days)
    told = summary(replace(result, binding=binding), "study_b")["binding"]
    assert told == [
        {"constraint": "stock", "row": None, "share_of_rebalances": 2 * share, "mean_shadow_price": 2.0},
        {"constraint": "turnover", "row": "two-sided", "share_of_rebalances": share, "mean_shadow_price": 2.0},
    ]
