"""Where definitions agree: skfolio's cross-sectional regression and weighted covariance against ours."""

from __future__ import annotations

import numpy as np
import pytest
from skfolio.linear_model import CSLinearRegression
from skfolio.moments import EWCovariance

from deepfactor.risk.decayed import Moments, decay_of
from deepfactor.risk.factor_returns import estimate


@pytest.mark.parametrize("seed", range(3))
def test_a_days_factor_returns_are_skfolios(seed: int) -> None:
    """√market value as weights; industries that sum to zero by market value, as its `constrained_families`."""
    rng = np.random.default_rng(seed)
    n, groups = 150, 6
    group, cap = rng.integers(0, groups, n), np.exp(rng.standard_normal(n))
    styles, returns = rng.standard_normal((3, n)), 0.02 * rng.standard_normal(n)
    ours = estimate(returns, styles, group, cap, groups)

    dummies = (np.arange(groups) == group[:, None]).astype(float)
    share = cap @ dummies
    constrained = dummies[:, :-1] - dummies[:, -1:] * share[:-1] / share[-1]
    exposures = np.hstack([np.ones((n, 1)), constrained, styles.T])
    model = CSLinearRegression(fit_intercept=False).fit(exposures[None], returns[None], cs_weights=np.sqrt(cap)[None])
    theirs = model.coef_[0]
    assert ours.market == pytest.approx(theirs[0], rel=1e-9)
    np.testing.assert_allclose(ours.industries[:-1], theirs[1:groups], rtol=1e-8, atol=1e-12)
    assert ours.industries[-1] == pytest.approx(-(share[:-1] @ theirs[1:groups]) / share[-1], rel=1e-8)
    np.testing.assert_allclose(ours.styles, theirs[groups:], rtol=1e-8, atol=1e-12)


def test_decayed_covariances_are_skfolios() -> None:
    rng = np.random.default_rng(0)
    returns = 0.01 * rng.standard_normal((120, 4)) @ rng.standard_normal((4, 4))
    moments = Moments.none(4, 0, pairs=True)
    for today in returns:
        moments = moments.after(today[None], decay_of(40.0))
    theirs = EWCovariance(half_life=40.0, assume_centered=True).fit(returns)
    np.testing.assert_allclose(moments.newey_west(), theirs.covariance_, rtol=1e-9)
