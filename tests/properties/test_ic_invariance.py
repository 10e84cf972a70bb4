"""The rank coefficient sees only the order of scores; the plain one only their linear pattern."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deepfactor.evaluation.ic import information_coefficients

SHAPE = (3, 12)
# Whole numbers of a small range: ties are common, and the maps below keep unequal values unequal in floating point.
scores_ = arrays.arrays(np.float64, SHAPE, elements=st.one_of(st.integers(-20, 20).map(float), st.just(np.nan)))
returns_ = arrays.arrays(np.float64, SHAPE, elements=st.one_of(st.integers(-30, 30).map(float), st.just(np.nan)))
masks_ = arrays.arrays(np.bool_, SHAPE)
MAPS = {"cube": lambda x: x**3, "exp": lambda x: np.exp(x / 4), "line": lambda x: 5 * x - 3, "arctan": np.arctan}


@pytest.mark.parametrize("name", MAPS)
@given(scores=scores_, returns=returns_, mask=masks_)
def test_rank_ic_is_the_same_after_any_increasing_map(name, scores, returns, mask):
    before = information_coefficients(scores, returns, mask)
    after = information_coefficients(MAPS[name](scores), MAPS[name](returns), mask)
    np.testing.assert_array_equal(before.rank_ic, after.rank_ic)
    np.testing.assert_array_equal(before.n, after.n)


@given(scores=scores_, returns=returns_, mask=masks_)
def test_a_decreasing_map_turns_the_sign(scores, returns, mask):
    before = information_coefficients(scores, returns, mask)
    after = information_coefficients(-scores, returns, mask)
    np.testing.assert_allclose(before.rank_ic, -after.rank_ic, atol=1e-14)
    np.testing.assert_allclose(before.ic, -after.ic, atol=1e-12)


@given(scores=scores_, returns=returns_, mask=masks_, scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_ic_is_the_same_after_a_change_of_units(scores, returns, mask, scale, shift):
    before = information_coefficients(scores, returns, mask)
    after = information_coefficients(scale * scores + shift, returns, mask)
    np.testing.assert_allclose(before.ic, after.ic, atol=1e-7)


@given(scores=scores_, returns=returns_, mask=masks_, data=st.data())
def test_the_order_of_stocks_does_not_matter(scores, returns, mask, data):
    order = np.array(data.draw(st.permutations(range(SHAPE[1]))))
    before = information_coefficients(scores, returns, mask)
    after = information_coefficients(scores[:, order], returns[:, order], mask[:, order])
    np.testing.assert_allclose(before.rank_ic, after.rank_ic, atol=1e-14)
    np.testing.assert_allclose(before.ic, after.ic, atol=1e-12)


@given(scores=scores_, returns=returns_, mask=masks_)
def test_coefficients_are_correlations_and_absent_without_spread(scores, returns, mask):
    result = information_coefficients(scores, returns, mask)
    for t in range(SHAPE[0]):
        kept = mask[t] & np.isfinite(scores[t]) & np.isfinite(returns[t])
        spread = kept.sum() > 1 and np.ptp(scores[t, kept]) > 0 and np.ptp(returns[t, kept]) > 0
        assert np.isfinite(result.rank_ic[t]) == np.isfinite(result.ic[t]) == spread
        if spread:
            assert abs(result.rank_ic[t]) <= 1 + 1e-12
            assert abs(result.ic[t]) <= 1 + 1e-12


@pytest.mark.parametrize("power", [-1000, -600, 600, 1000])
@given(scores=scores_, returns=returns_, mask=masks_)
def test_no_size_of_scores_or_returns_costs_the_coefficient(power, scores, returns, mask):
    before = information_coefficients(scores, returns, mask)
    for after in (
        information_coefficients(np.ldexp(scores, power), returns, mask),
        information_coefficients(scores, np.ldexp(returns, power), mask),
    ):
        np.testing.assert_array_equal(before.rank_ic, after.rank_ic)
        np.testing.assert_allclose(before.ic, after.ic, atol=1e-13)


@given(scores=scores_, returns=returns_, far=st.floats(1e150, 1e308), at=st.integers(0, SHAPE[1] - 1))
def test_one_name_far_out_keeps_every_rank_and_leads_the_plain_coefficient(scores, returns, far, at):
    """Sizes that differ within a day: ranks see the order alone; Pearson's sees the one name, as it should."""
    scores, returns = np.nan_to_num(scores), np.nan_to_num(returns)
    scores[:, at] = 30.0
    before = information_coefficients(scores, returns, np.ones(SHAPE, bool))
    scores[:, at] = far
    after = information_coefficients(scores, returns, np.ones(SHAPE, bool))
    np.testing.assert_array_equal(before.rank_ic, after.rank_ic)
    alone = information_coefficients(np.eye(SHAPE[1])[[at] * SHAPE[0]], returns, np.ones(SHAPE, bool))
    np.testing.assert_allclose(after.ic, alone.ic, atol=1e-12)
