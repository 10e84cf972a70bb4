from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from deepfactor.cross_section.correlation import pearson_rows, spearman_rows
from deepfactor.cross_section.ranks import day_orders, order_rows
from deepfactor.evaluation.ic import correlate, information_coefficients, pack


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(70, 40) with ties and holes: more rows than one block."""
    rng = np.random.default_rng(7)
    scores = np.round(rng.standard_normal((70, 40)), 1)
    returns = np.round(0.3 * scores + rng.standard_normal((70, 40)), 1)
    scores[rng.random(scores.shape) < 0.1] = np.nan
    returns[rng.random(scores.shape) < 0.1] = np.nan
    return scores, returns, rng.random(scores.shape) < 0.8


def test_agrees_with_scipy_day_by_day(data):
    scores, returns, mask = data
    result = information_coefficients(scores, returns, mask)
    for t in range(len(scores)):
        kept = mask[t] & ~np.isnan(scores[t]) & ~np.isnan(returns[t])
        x, y = scores[t, kept], returns[t, kept]
        assert result.n[t] == kept.sum()
        assert result.rank_ic[t] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-13)
        assert result.ic[t] == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-13)


def test_ranks_are_doubled_average_ranks(data):
    scores, returns, mask = data
    names = pack(scores, order_rows(scores), mask)
    kept = names.inside & names.of(returns > 0)
    ranks, spread = names.ties.doubled_ranks(kept)
    for t in range(len(scores)):
        expected = 2 * stats.rankdata(names.values[t, kept[t]])
        np.testing.assert_array_equal(ranks[t, kept[t]], expected)
        assert spread[t] == ((expected - expected.mean()) ** 2).sum()


def test_names_are_packed_in_the_order_of_their_scores(data):
    scores, _, mask = data
    names = pack(scores, order_rows(scores), mask)
    for t in range(len(scores)):
        found = names.places[t, names.inside[t]] - t * scores.shape[1]
        kept = np.flatnonzero(mask[t] & ~np.isnan(scores[t]))
        assert list(found) == sorted(kept, key=lambda j: (scores[t, j], j))
        lifted = names.values[t, names.inside[t]] + sorted(scores[t, kept])[len(kept) // 2]
        np.testing.assert_allclose(lifted, scores[t, found], rtol=0, atol=1e-15)
        assert not names.values[t, ~names.inside[t]].any()


def test_many_subsets_at_once_are_the_masks_one_by_one(data):
    scores, returns, mask = data
    other = np.random.default_rng(1).random(mask.shape) < 0.9
    names = pack(scores, order_rows(scores), mask)
    subsets = [names.inside, names.inside & names.of(other), names.inside & ~names.of(other)]
    together = correlate(names, names.paired(returns), subsets, 2)
    for one, result in zip((mask, mask & other, mask & ~other), together, strict=True):
        alone = information_coefficients(scores, returns, one)
        np.testing.assert_array_equal(result.rank_ic, alone.rank_ic)
        np.testing.assert_allclose(result.ic, alone.ic, rtol=0, atol=1e-14)


def test_pearson_alone_is_the_plain_coefficient(data):
    scores, returns, mask = data
    np.testing.assert_allclose(
        pearson_rows(scores, returns, mask), information_coefficients(scores, returns, mask).ic, rtol=0, atol=1e-14
    )


def test_known_orders_give_the_rank_correlation_of_any_subset(data):
    scores, returns, mask = data
    kept = mask & np.isfinite(scores) & np.isfinite(returns)
    found = spearman_rows(scores, day_orders(scores), returns, day_orders(returns), kept)
    np.testing.assert_array_equal(found, information_coefficients(scores, returns, mask).rank_ic)


@pytest.mark.parametrize("far", [1e6, 1e9])
def test_values_far_from_zero_lose_no_digits_but_their_own(data, far):
    scores, returns, mask = data
    plain, moved = (information_coefficients(scores + x, returns - x, mask).ic for x in (0.0, far))
    np.testing.assert_allclose(moved, plain, rtol=0, atol=1e-15 * far)


def test_infinite_returns_are_missing(data):
    scores, returns, mask = data
    infinite = np.where(np.isnan(returns), np.inf, returns)
    found, expected = (information_coefficients(scores, r, mask) for r in (infinite, returns))
    np.testing.assert_array_equal(found.rank_ic, expected.rank_ic)
    np.testing.assert_array_equal(found.n, expected.n)


@pytest.mark.parametrize("constant", [0.1, 1e300, -0.0])
def test_a_constant_side_has_no_coefficient(constant):
    """0.1 is one whose mean rounds, so that a variance of values would not be zero."""
    other = np.random.default_rng(0).standard_normal((2, 37))
    scores = np.full((2, 37), constant)
    scores[1, 0] = constant + 1 if constant < 1 else 0.0
    for result in (
        information_coefficients(scores, other, np.ones((2, 37), bool)),
        information_coefficients(other, scores, np.ones((2, 37), bool)),
    ):
        assert np.isnan(result.rank_ic[0])
        assert np.isnan(result.ic[0])
        assert result.n[0] == 37
        assert np.isfinite(result.rank_ic[1])


def test_days_with_too_few_names_have_no_coefficient():
    x = np.arange(12.0).reshape(3, 4)
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)
    result = information_coefficients(x, x, mask, min_names=4)
    np.testing.assert_array_equal(result.rank_ic, [1, np.nan, np.nan])
    np.testing.assert_array_equal(result.n, [4, 3, 0])
