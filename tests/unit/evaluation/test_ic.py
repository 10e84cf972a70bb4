from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from deepfactor.evaluation.ic import DenseRanks, average_ranks, information_coefficients, paired_coefficients


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


def test_average_ranks_agree_with_scipy(data):
    scores, _, mask = data
    ranks = average_ranks(scores, mask)
    for t in range(len(scores)):
        kept = mask[t] & ~np.isnan(scores[t])
        np.testing.assert_array_equal(ranks[t, kept], stats.rankdata(scores[t, kept]))
        assert np.isnan(ranks[t, ~kept]).all()


def test_many_masks_at_once_are_the_masks_one_by_one(data):
    scores, returns, mask = data
    masks = [mask, ~mask, np.ones_like(mask)]
    together = paired_coefficients(scores, DenseRanks.of(scores), returns, masks, min_names=2)
    for one, result in zip(masks, together, strict=True):
        alone = information_coefficients(scores, returns, one)
        np.testing.assert_array_equal(result.rank_ic, alone.rank_ic)
        np.testing.assert_array_equal(result.ic, alone.ic)


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
