"""Scores beside a simulated market's truth."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.oracle import oracle_report

SETTINGS = TestSettings(universes=("all",), horizons=(5, 10), min_names=5, groups={}, other_groups=0, tops=())


def report(market, truth, visible, arms):
    return oracle_report(truth, visible, arms, market.panel, market.universe, SETTINGS, eligible=market.eligible)


def test_agreement_is_the_mean_daily_correlation_with_the_whole_and_with_the_visible(market, scores):
    rng = np.random.default_rng(2)
    total, visible = (market.scores(rng.standard_normal(market.panel.shape), name) for name in ("total", "visible"))
    found = report(market, {5: scores, 10: total}, visible, {"one": scores, "truth": total})
    for key, oracle in (("correlation", total), ("visible_correlation", visible)):
        daily = []
        for t in range(len(scores.values)):
            m = market.eligible[t] & np.isfinite(scores.values[t])
            if m.sum() >= 2 and np.ptp(scores.values[t][m]) > 0:
                daily.append(np.corrcoef(scores.values[t][m], oracle.values[t][m])[0, 1])
        assert found[key]["one"] == pytest.approx(np.mean(daily), abs=1e-9)
    assert found["correlation"]["truth"] == pytest.approx(1.0)
    assert abs(found["visible_correlation"]["truth"]) < 0.2
    assert {(r["horizon"], r["convention"]) for r in found["records"]} == {(5, "t1_close"), (10, "t1_close")}


def test_a_market_that_does_not_say_what_is_visible(market, scores):
    found = report(market, {5: scores}, None, {"one": scores})
    assert found["correlation"] == {} == found["visible_correlation"]
    assert found["records"]
