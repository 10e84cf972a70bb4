"""Paired differences against statsmodels, and what they are for: noise that both series share."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from deepfactor.evaluation.paired import paired_difference


def overlapping(rng: np.random.Generator, n: int, h: int) -> np.ndarray:
    """A series whose neighbours share h − 1 of h terms, as coefficients of h-day returns do."""
    return np.convolve(rng.standard_normal(n + h - 1), np.ones(h) / h, "valid")


@pytest.mark.parametrize("lags", [0, 1, 10, 20])
def test_error_and_t_are_statsmodels(lags):
    rng = np.random.default_rng(lags)
    first, second = 0.1 + overlapping(rng, 400, 10), overlapping(rng, 400, 10)
    first[rng.random(400) < 0.1] = np.nan
    second[rng.random(400) < 0.1] = np.nan
    difference = (first - second)[np.isfinite(first - second)]
    fit = sm.OLS(difference, np.ones(len(difference))).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )
    found = paired_difference(first, second, lags)
    assert (found.n, found.lags) == (len(difference), lags)
    assert found.mean == pytest.approx(difference.mean(), rel=1e-12)
    assert found.standard_error == pytest.approx(fit.bse[0], rel=1e-10)
    assert found.t_newey_west == pytest.approx(fit.tvalues[0], rel=1e-10)
    assert found.win_rate == (difference > 0).mean()


def test_a_shared_market_leaves_the_difference_clear():
    rng = np.random.default_rng(1)
    market, own = overlapping(rng, 1000, 10), 0.02 * rng.standard_normal((2, 1000))
    found = paired_difference(market + own[0] + 0.01, market + own[1], 10)
    assert found.t_newey_west > 5
    alone = paired_difference(market + 0.01, np.zeros(1000), 10)
    assert abs(alone.t_newey_west) < 3


def test_the_other_way_round_only_signs_change():
    rng = np.random.default_rng(2)
    first, second = overlapping(rng, 300, 5), overlapping(rng, 300, 5)
    there, back = paired_difference(first, second, 5), paired_difference(second, first, 5)
    assert there.mean == -back.mean
    assert there.standard_error == back.standard_error
    assert there.win_rate + back.win_rate == 1.0


def test_overlap_is_allowed_for():
    """Over many made-up pairs without a difference, |t| > 2 must be rare with lags ≥ h and is frequent without."""
    rng = np.random.default_rng(3)
    pairs = [(overlapping(rng, 500, 10), overlapping(rng, 500, 10)) for _ in range(300)]
    wrong = {lags: np.mean([abs(paired_difference(a, b, lags).t_newey_west) > 2 for a, b in pairs]) for lags in (0, 20)}
    assert wrong[20] < 0.12
    assert wrong[0] > 0.4


def test_nothing_in_common_or_no_variation_is_undefined():
    nothing = paired_difference(np.array([1.0, np.nan]), np.array([np.nan, 2.0]), 3)
    assert nothing.n == 0
    assert np.isnan([nothing.mean, nothing.standard_error, nothing.t_newey_west, nothing.win_rate]).all()
    same = paired_difference(np.arange(4.0), np.arange(4.0), 1)
    assert same.mean == 0.0
    assert np.isnan(same.standard_error)
    assert np.isnan(same.t_newey_west)


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="align"):
        paired_difference(np.zeros(3), np.zeros(4), 1)
    with pytest.raises(ValueError, match="lags = -1"):
        paired_difference(np.zeros(3), np.zeros(3), -1)
