"""What is left of a score without styles and industries, against statsmodels with a column a dummy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from deepfactor.evaluation.factor_test import TestSettings
from deepfactor.evaluation.factor_test import test_factor as run_test
from deepfactor.evaluation.styles import neutralise
from deepfactor.panel.returns import forward_return
from deepfactor.styles.base import Styles

INDEX = "000300.SH"


@pytest.fixture(scope="module")
def exposures(market):
    rng = np.random.default_rng(11)
    found = {name: rng.standard_normal(market.panel.shape).astype(np.float32) for name in ("SIZE", "BETA")}
    found["BETA"][rng.random(market.panel.shape) < 0.1] = np.nan
    return found


@pytest.fixture(scope="module")
def industry(market):
    return np.random.default_rng(12).integers(-1, 4, market.panel.shape).astype(np.int16)


def by_hand(scores, mask, exposures, industry, t):
    kept = mask[t] & np.isfinite(scores[t]) & np.all([np.isfinite(x[t]) for x in exposures.values()], axis=0)
    dummies = (industry[t, kept][:, None] == np.unique(industry[t, kept])).astype(float)
    x = np.column_stack([dummies, *(values[t, kept].astype(float) for values in exposures.values())])
    return kept, sm.OLS(scores[t, kept], x).fit().resid


def test_residual_is_that_of_least_squares_with_dummies(market, scores, exposures, industry):
    found = neutralise(scores.values, market.batch, exposures, industry)
    for t in range(len(found)):
        kept, expected = by_hand(scores.values, market.batch, exposures, industry, t)
        np.testing.assert_array_equal(np.isfinite(found[t]), kept)
        np.testing.assert_allclose(found[t, kept], expected, rtol=0, atol=1e-12)


def test_nothing_is_left_of_a_style(market, exposures, industry):
    """Not even its rounding, whose ranks would look like a factor."""
    score = 3.0 * exposures["SIZE"].astype(float) + industry
    found = neutralise(score, market.batch, exposures, industry)
    assert np.isnan(found).all()


def test_a_style_without_spread_changes_nothing(market, scores, exposures, industry):
    flat = {**exposures, "FLAT": np.where(np.isfinite(exposures["BETA"]), np.float32(1), np.float32(np.nan))}
    np.testing.assert_allclose(
        neutralise(scores.values, market.batch, flat, industry),
        neutralise(scores.values, market.batch, exposures, industry),
        atol=1e-12,
    )


def test_residual_ic_is_the_rank_correlation_of_what_is_left(market, scores, exposures, industry):
    universe = replace(market.universe, industry=industry)
    settings = TestSettings(
        universes=("all", INDEX), horizons=(5,), decay=0, min_names=5, groups={}, other_groups=0, tops=()
    )
    styles = [
        ("own", Styles({"SIZE": exposures["SIZE"]}, {})),
        ("both", Styles(exposures, {})),
        ("none", Styles({}, {})),
    ]
    content = run_test(scores, market.panel, universe, settings, batch=market.batch, styles=iter(styles)).to_json_dict()
    assert list(content["style_correlation"]) == ["SIZE"]
    assert {name: list(found) for name, found in content["style_correlations"].items()} == {
        "own": ["SIZE"], "both": ["SIZE", "BETA"], "none": [],
    }  # fmt: skip
    assert len(content["residual_ic"]) == 2 * 2 * 3  # sets with styles, universes, conventions
    for entry in content["residual_ic"]:
        chosen = dict(styles)[entry["set"]].exposures
        mask = market.batch & (market.universe.members[INDEX] if entry["universe"] == INDEX else True)
        future = forward_return(market.panel, entry["convention"], 5)
        expected = []
        for t in range(len(future)):
            kept, residual = by_hand(scores.values, mask, chosen, industry, t)
            have = np.isfinite(future[t, kept])
            if have.sum() >= 5:
                left = residual[have].round(12)  # an industry's only name has 0 left; statsmodels leaves rounding
                expected.append(stats.spearmanr(left, future[t, kept][have]).statistic)
        assert entry["rank_ic"]["n"] == len(expected)
        assert entry["rank_ic"]["mean"] == pytest.approx(np.mean(expected), abs=1e-12)
    missing = (market.batch & np.isfinite(scores.values) & np.isnan(exposures["BETA"])).sum()
    assert content["dropped"]["scores_without_styles.both.all"] == missing
    assert "scores_without_styles.own.all" not in content["dropped"]
