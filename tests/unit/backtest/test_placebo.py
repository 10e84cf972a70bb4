"""Random scores without knowledge, as persistent as asked; the band that one more of them lies in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfactor.backtest.placebo import STEPS, band, persistence_of, random_scores, who_is_scored

SIGNALS = np.arange(0, 200, 5)


def everybody(days: int = 200, stocks: int = 300) -> np.ndarray:
    return np.ones((days, stocks), np.bool_)


@pytest.mark.parametrize("persistence", STEPS)
def test_as_persistent_as_asked_and_of_variance_one(persistence: float) -> None:
    scores = random_scores(everybody(), SIGNALS, persistence, 3)
    known = scores[SIGNALS]
    apart = [np.corrcoef(known[k], known[k + 1])[0, 1] for k in range(len(known) - 1)]
    assert np.mean(apart) == pytest.approx(persistence, abs=0.03)
    assert known.std() == pytest.approx(1.0, abs=0.06)
    assert persistence_of(scores, everybody(), SIGNALS) == persistence


def test_of_those_asked_for_alone_and_the_same_again() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((200, 300)) < 0.5
    scores = random_scores(mask, SIGNALS, 0.5, 1)
    inside = np.zeros_like(mask)
    inside[SIGNALS] = mask[SIGNALS]
    assert np.array_equal(np.isfinite(scores), inside)
    assert np.array_equal(scores, random_scores(mask, SIGNALS, 0.5, 1), equal_nan=True)
    other = random_scores(mask, SIGNALS, 0.5, 2)
    assert abs(np.corrcoef(scores[inside], other[inside])[0, 1]) < 0.05


def test_who_is_scored_is_everybody_unless_the_factor_leaves_many_out() -> None:
    eligible = np.random.default_rng(1).random((200, 300)) < 0.8
    signals = SIGNALS[:10]
    values = np.where(np.random.default_rng(2).random(eligible.shape) < 0.99, 1.0, np.nan)
    nearly = who_is_scored(values, eligible, signals)
    assert np.array_equal(nearly[signals], eligible[signals])
    assert not nearly[200 - 3 :].any()
    values[:, :60] = np.nan
    fewer = who_is_scored(values, eligible, signals)
    assert np.array_equal(fewer[signals], (eligible & np.isfinite(values))[signals])


@pytest.mark.slow
@settings(max_examples=10)
@given(st.integers(2, 40), st.floats(-0.1, 0.1), st.floats(0.001, 0.1))
def test_a_band_covers_one_more_in_95_of_100(n: int, mean: float, spread: float) -> None:
    rng = np.random.default_rng(n)
    drawn = mean + spread * rng.standard_normal((1000, n + 1))
    inside = 0
    for row in drawn:
        found = band(float(row[-1]), row[:-1].tolist())
        low, high, distance = found["low"], found["high"], found["distance"]
        assert low is not None and high is not None and distance is not None  # noqa: PT018
        inside += low <= row[-1] <= high
    assert inside / len(drawn) == pytest.approx(0.95, abs=0.03)


def test_a_band_by_hand() -> None:
    found = band(0.10, [0.01, 0.03, None, 0.05, math.nan])
    assert found["mean"] == pytest.approx(0.03)
    assert found["std"] == pytest.approx(0.02)
    reach = 4.302652729749464 * 0.02 * math.sqrt(4 / 3)  # t of 2 degrees of freedom at 97.5 %
    assert (found["low"], found["high"]) == (pytest.approx(0.03 - reach), pytest.approx(0.03 + reach))
    assert found["distance"] == pytest.approx(0.07 / (0.02 * math.sqrt(4 / 3)))
    for few in ([], [0.1]):
        assert band(0.1, few)["low"] is None
    assert band(None, [0.1, 0.2])["distance"] is None
