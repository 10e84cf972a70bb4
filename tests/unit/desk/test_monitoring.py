"""Measures of a live score against a hand's reckoning, quiet while nothing changes, and each fault named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from deepfactor.desk.monitoring import LEAST, MATURED, drift_lights, drifted, lights, measured
from deepfactor.features.base import Features

DAYS, NAMES, LIVE, HORIZON = 260, 200, 200, 5


@pytest.fixture(scope="module")
def world() -> dict[str, np.ndarray]:
    """A score that leans on a character and foresees five days' returns a little."""
    rng = np.random.default_rng(5)
    slow = np.cumsum(0.1 * rng.standard_normal((DAYS, NAMES)), axis=0) + 2 * rng.standard_normal(NAMES)
    score = -0.5 * slow + np.cumsum(0.05 * rng.standard_normal((DAYS, NAMES)), axis=0) + rng.standard_normal(NAMES)
    returns = 0.01 * score + 0.1 * rng.standard_normal((DAYS, NAMES))
    returns[-HORIZON:] = np.nan
    return {
        "scores": score,
        "eligible": np.ones((DAYS, NAMES), np.bool_),
        "returns": returns,
        "amount": np.exp(rng.standard_normal((DAYS, NAMES))),
        "slow": slow,
    }


def series(world: dict[str, np.ndarray], **other: np.ndarray) -> dict[str, np.ndarray]:
    given = {**world, **other}
    return measured(given["scores"], given["eligible"], given["returns"], given["amount"], {"slow": given["slow"]})


def alarms(found: dict[str, np.ndarray], t: int) -> set[str]:
    live = np.arange(DAYS) >= LIVE
    return {one.measure for one in lights(found, ~live, live, t, HORIZON - 1) if one.state == "alarm"}


def test_measures_are_what_they_say(world) -> None:
    t, scores = 40, world["scores"].copy()
    scores[t, :20] = np.nan
    found = series(world, scores=scores)
    assert found["coverage"][t] == 0.9
    assert found["rank_ic"][t] == pytest.approx(spearmanr(scores[t, 20:], world["returns"][t, 20:])[0], abs=1e-12)
    assert found["leans on slow"][t] == pytest.approx(spearmanr(scores[t, 20:], world["slow"][t, 20:])[0], abs=1e-12)
    assert found["autocorrelation"][t] == pytest.approx(spearmanr(scores[t, 20:], scores[t - 1, 20:])[0], abs=1e-12)
    tops = [set(np.argsort(np.nan_to_num(scores[day], nan=-99))[-(18 if day == t else 20) :]) for day in (t - 1, t)]
    assert found["turnover"][t] == pytest.approx(1 - len(tops[0] & tops[1]) / 18)
    share = world["amount"][t, sorted(tops[1])].sum() / world["amount"][t, 20:].sum()
    assert found["activity"][t] == pytest.approx(share / 0.1)
    assert np.isnan(found["rank_ic"][-1]), "not matured"


def test_nothing_is_wrong_while_nothing_changes(world) -> None:
    found = series(world)
    quiet = [not alarms(found, t) for t in range(LIVE + LEAST, DAYS)]
    assert np.mean(quiet) >= 0.95


def test_a_flipped_sign_is_named_on_the_first_day_and_by_the_rank_ic(world) -> None:
    scores = np.where(np.arange(DAYS)[:, None] >= LIVE, -world["scores"], world["scores"])
    found = series(world, scores=scores)
    assert "leans on slow" in alarms(found, LIVE)
    assert "rank_ic" in alarms(found, LIVE + HORIZON + 15)
    few = {one.measure: one.state for one in lights(found, np.arange(DAYS) < LIVE, np.arange(DAYS) >= LIVE, LIVE, 4)}
    assert few["rank_ic"] == "too_few"


def test_names_that_are_missing(world) -> None:
    scores = world["scores"].copy()
    scores[LIVE:, :20] = np.nan
    assert "coverage" in alarms(series(world, scores=scores), LIVE + 3)


def test_only_the_last_matured_days_count(world) -> None:
    """A bad stretch long ago is no alarm of today."""
    returns = world["returns"].copy()
    returns[LIVE : LIVE + 10] *= -1
    found = series(world, returns=returns)
    assert "rank_ic" not in alarms(found, LIVE + 10 + MATURED + HORIZON)


def test_a_frozen_feature_and_one_of_another_shape() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((60, 300, 3)).astype(np.float32)
    values[..., 2] = np.round(values[..., 2])  # a coarse one often has yesterday's value
    eligible = np.ones((60, 300), np.bool_)
    roles = ("plain",) * 3

    def alarmed(values: np.ndarray) -> set[str]:
        found = drifted(Features(("a", "b", "coarse"), roles, values), eligible)
        return {one.measure for one in drift_lights(found) if one.state == "alarm"}

    assert alarmed(values) == set()
    for k, name in enumerate(("a", "b", "coarse")):
        frozen = values.copy()
        frozen[-1, :, k] = frozen[-2, :, k]
        assert f"frozen {name}" in alarmed(frozen)
    skewed = values.copy()
    skewed[-1, :, 1] = np.exp(3 * skewed[-1, :, 1])
    assert alarmed(skewed) == {"moved b"}
    missing = values.copy()
    missing[-1, :, 0] = np.nan
    assert alarmed(missing) == {"frozen a", "moved a"}
