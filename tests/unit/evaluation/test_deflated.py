"""The deflated Sharpe ratio: the paper's example, the best of many tries by simulation, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deepfactor.evaluation.deflated import ReturnMoments, deflated_sharpe, expected_best, moments_of


def test_the_papers_example() -> None:
    """Bailey and López de Prado (2014): 2.5 a year over 1250 days, skew −3, kurtosis 10, V = ½, N = 100: SR₀ = 0.1132 a
    day, DSR = 0.90; and 0.95 of N = 46 tries."""
    own = ReturnMoments(2.5 / math.sqrt(250), -3.0, 10.0, 1250)
    assert expected_best(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(own, 100, 0.5 / 250) == pytest.approx(0.9004, abs=5e-4)
    assert deflated_sharpe(own, 46, 0.5 / 250) == pytest.approx(0.95, abs=5e-3)


@pytest.mark.parametrize("tries", [5, 50, 500])
def test_the_best_of_many_tries_is_what_it_says(tries: int) -> None:
    ratios = 0.03 * np.random.default_rng(tries).standard_normal((4000, tries))
    assert expected_best(tries, 0.03**2) == pytest.approx(ratios.max(axis=1).mean(), rel=0.04)


def test_one_try_is_the_plain_probability() -> None:
    own = ReturnMoments(0.05, 0.0, 3.0, 500)
    spread = math.sqrt((1 + 0.5 * 0.05**2) / 499)
    plain = 0.5 * (1 + math.erf(0.05 / spread / math.sqrt(2)))
    assert deflated_sharpe(own, 1, 0.0) == pytest.approx(plain)
    assert deflated_sharpe(own, 20, 0.0) == pytest.approx(plain)
    assert deflated_sharpe(own, 20, 0.02**2) < deflated_sharpe(own, 5, 0.02**2) < plain


@pytest.mark.slow
def test_tries_without_skill_pass_no_more_often_than_they_may() -> None:
    """The best of 30 series of noise has a deflated ratio above 0.95 in about one of twenty markets or fewer."""
    rng = np.random.default_rng(0)
    passed = 0
    for _ in range(300):
        moments = [moments_of(one) for one in rng.standard_normal((30, 250))]
        known = [one for one in moments if one is not None]
        best = max(known, key=lambda one: one.sharpe)
        passed += deflated_sharpe(best, 30, float(np.var([one.sharpe for one in known], ddof=1))) > 0.95
    assert passed / 300 < 0.06


def test_moments_by_other_means() -> None:
    from scipy import stats

    x = np.random.default_rng(1).standard_t(4, 400) * 0.01 + 0.0005
    own = moments_of(np.append(x, np.nan))
    assert own is not None
    assert (own.sharpe, own.n) == (pytest.approx(x.mean() / x.std(ddof=1)), 400)
    assert (own.skew, own.kurtosis) == (pytest.approx(stats.skew(x)), pytest.approx(stats.kurtosis(x) + 3))
    assert moments_of(np.ones(5)) is None
    assert moments_of(np.array([0.1, np.nan])) is None
