"""Decayed moments and what is made of them, against sums over all days."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfactor.risk.covariance import FactorState
from deepfactor.risk.decayed import Moments, decay_of
from deepfactor.risk.settings import RiskSettings


def series(seed: int, days: int, k: int, gaps: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = 0.01 * rng.standard_normal((days, k))
    values[rng.random((days, k)) < gaps] = np.nan
    return values


def moments_of(values: np.ndarray, lags: int, decay: float, *, pairs: bool) -> Moments:
    moments, recent = Moments.none(values.shape[1], lags, pairs=pairs), np.full((lags + 1, values.shape[1]), np.nan)
    for today in values:
        recent = np.vstack([today, recent[:-1]])
        moments = moments.after(recent, decay)
    return moments


@given(seed=st.integers(0, 10_000), lags=st.integers(0, 6), half_life=st.floats(5, 100))
@settings(max_examples=30, deadline=None)
def test_variances_are_weighted_sums(seed: int, lags: int, half_life: float) -> None:
    x, decay = series(seed, 40, 3), decay_of(half_life)
    got = moments_of(x, lags, decay, pairs=False)
    weight = decay ** np.arange(len(x))[::-1]
    known, filled = np.isfinite(x), np.nan_to_num(x)
    np.testing.assert_allclose(got.weight, (weight[:, None] * known).sum(axis=0), rtol=1e-12)
    total = (weight[:, None] * filled**2).sum(axis=0)
    for lag in range(1, lags + 1):
        cross = (weight[lag:, None] * filled[lag:] * filled[:-lag]).sum(axis=0)
        total += 2 * (1 - lag / (lags + 1)) * cross
    want = total / got.weight
    floor = 0.1 * got.sums[0] / got.weight
    np.testing.assert_allclose(got.newey_west(), np.maximum(want, floor), rtol=1e-9, atol=1e-18)


@given(seed=st.integers(0, 10_000), lags=st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_covariances_are_weighted_sums(seed: int, lags: int) -> None:
    x, decay = series(seed, 40, 3), decay_of(30)
    got = moments_of(x, lags, decay, pairs=True)
    weight, filled = decay ** np.arange(len(x))[::-1], np.nan_to_num(x)
    known = np.isfinite(x).astype(float)
    total = np.einsum("t,ti,tj->ij", weight, filled, filled)
    for lag in range(1, lags + 1):
        one = np.einsum("t,ti,tj->ij", weight[lag:], filled[lag:], filled[:-lag])
        total += (1 - lag / (lags + 1)) * (one + one.T)
    np.testing.assert_allclose(got.newey_west(), total / np.einsum("t,ti,tj->ij", weight, known, known), rtol=1e-9)


def test_positive_autocorrelation_raises_the_variance() -> None:
    rng = np.random.default_rng(0)
    shocks = rng.standard_normal((4000, 1))
    smooth = shocks[1:] + 0.5 * shocks[:-1]
    got = moments_of(smooth, 5, decay_of(2000), pairs=False)
    assert got.newey_west()[0] / got.variance()[0] == pytest.approx(1 + 2 * 0.5 / 1.25 * 5 / 6, rel=0.1)


@given(seed=st.integers(0, 10_000), gaps=st.floats(0, 0.9))
@settings(max_examples=30, deadline=None)
def test_a_covariance_is_symmetric_and_has_no_negative_variance(seed: int, gaps: float) -> None:
    made = RiskSettings()
    state = FactorState.none(6, made)
    for today in series(seed, 100, 6, gaps):
        state = state.after(today, made)
    covariance = state.covariance((slice(1, 4), slice(4, 6)))
    assert np.isfinite(covariance).all()
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() >= -1e-12 * np.diagonal(covariance).max()


def test_a_factor_without_history_has_the_variance_of_its_like() -> None:
    made, x = RiskSettings(), series(1, 200, 4, gaps=0.0)
    x[:, 3] = np.nan
    state = FactorState.none(4, made)
    for today in x:
        state = state.after(today, made)
    covariance = state.covariance((slice(1, 4),))
    assert covariance[3, 3] == pytest.approx((covariance[1, 1] + covariance[2, 2]) / 2)
    assert covariance[3, 0] == 0.0


def test_the_regime_follows_a_market_that_doubles_its_volatility() -> None:
    made, x = RiskSettings(), series(2, 400, 20, gaps=0.0)
    x[360:] *= 2
    state = FactorState.none(20, made)
    for today in x:
        state = state.after(today, made)
    slow = np.sqrt(252 * state.volatility.newey_west()).mean()
    fast = np.sqrt(np.diagonal(state.covariance((slice(1, 20),)))).mean()
    assert slow < fast < 1.1 * 0.02 * np.sqrt(252)
