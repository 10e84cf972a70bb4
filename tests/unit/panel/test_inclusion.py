"""Inclusion factors from an index's own returns: the fit, its bounds, and when float value alone is kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from deepfactor.panel.build.inclusion import (
    LEAST_DAYS,
    PRIOR,
    bounded_least_squares,
    inclusion_factors,
)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_bounded_least_squares_is_scipys(size):
    rng = np.random.default_rng(size)
    for _ in range(10):
        matrix, right = rng.standard_normal((size + 3, size)), 3 * rng.standard_normal(size + 3)
        stacked = np.vstack([matrix, 0.1 * np.eye(size)])
        wanted = lsq_linear(stacked, np.r_[right, np.zeros(size)], bounds=(0, 1), method="bvls", tol=1e-14).x
        found = bounded_least_squares(stacked.T @ stacked, matrix.T @ right)
        np.testing.assert_allclose(found, wanted, atol=1e-7)
        assert 0 <= found.min() <= found.max() <= 1


def test_a_single_exchange_ends_where_blocks_would_not(monkeypatch):
    """With no patience for blocks the single exchanges alone find the same."""
    rng = np.random.default_rng(3)
    matrix, right = rng.standard_normal((30, 20)), 3 * rng.standard_normal(30)
    square, linear = matrix.T @ matrix, matrix.T @ right
    blocks = bounded_least_squares(square, linear)
    monkeypatch.setattr("deepfactor.panel.build.inclusion._PATIENCE", 0)
    np.testing.assert_allclose(bounded_least_squares(square, linear), blocks, atol=1e-10)


def year(factors, *, noise=0.0002, days=250, seed=0):
    """share (S, m), active (S, m) and value (m,) of an index whose members count by `factors` of their float value."""
    rng = np.random.default_rng(seed)
    m = len(factors)
    returns = 0.01 * rng.standard_normal((days, 1)) + 0.02 * rng.standard_normal((days, m))
    value = np.exp(rng.standard_normal(m)) * np.cumprod(1 + np.vstack([np.zeros(m), returns]), axis=0)
    held = value * factors
    index = (held[:-1] / held[:-1].sum(axis=1, keepdims=True) * returns).sum(axis=1) + noise * rng.standard_normal(days)
    share = value[:-1] / value[:-1].sum(axis=1, keepdims=True)
    return share, share * (returns - index[:, None]), value[-1]


def largest(value, n):
    return np.argsort(-value)[:n]


def test_planted_factors_are_found_from_returns_alone():
    rng = np.random.default_rng(1)
    factors = np.full(60, PRIOR)
    value = year(factors)[2]
    top = largest(value, 12)
    factors[top] = rng.choice([0.05, 0.1, 0.3, 0.5, 0.9], len(top))
    share, active, now = year(factors)
    found = inclusion_factors(share, active, now)
    weight, true, plain = (x * now / (x * now).sum() for x in (found, factors, np.ones(60)))
    assert np.abs(weight - true).sum() < 0.2 * np.abs(plain - true).sum()
    assert 0 <= found.min() <= found.max() <= 1
    assert (found[np.argsort(-now)[30:]] == PRIOR).all(), "at most half are fitted: the others set the scale"


def test_float_value_that_follows_the_index_is_kept():
    assert inclusion_factors(*year(np.full(60, PRIOR))) is None


def test_an_index_that_members_do_not_explain_is_left_alone():
    """Factors that only fit the past don't help on the half of the year that they haven't seen."""
    share, active, now = year(np.full(8, PRIOR))
    stranger = 0.01 * np.random.default_rng(2).standard_normal((len(share), 1))
    kept = [inclusion_factors(share, active + share * np.roll(stranger, k), now) for k in range(0, 200, 20)]
    assert sum(found is None for found in kept) >= 5


def test_too_few_known_days_give_none():
    factors = np.full(30, PRIOR)
    factors[:5] = 0.05
    share, active, now = year(factors)
    assert inclusion_factors(share, active, now) is not None
    active[LEAST_DAYS - 1 :] = np.nan
    assert inclusion_factors(share, active, now) is None


def test_the_last_bits_of_a_sum_do_not_show():
    factors = np.full(30, PRIOR)
    factors[:5] = 0.05
    share, active, now = year(factors)
    np.testing.assert_array_equal(
        inclusion_factors(share, active, now), inclusion_factors(share, active * (1 + 2e-15), now)
    )
