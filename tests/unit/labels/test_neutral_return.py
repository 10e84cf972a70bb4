"""The neutralised label against plain least squares."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.labels import neutral_return
from deepfactor.panel.returns import forward_return
from deepfactor.panel.universe import UniverseRule
from support.toy import toy_market

RULE = UniverseRule(window=20, min_observed=12)


def reference(
    y: np.ndarray, size: np.ndarray, industry: np.ndarray, least: int, out=("industry", "size")
) -> np.ndarray:
    """Winsorise, then lstsq on ln cap and one dummy an industry, or one of all; small and unknown ones share one."""
    centre = np.median(y)
    mad = 1.4826 * np.median(np.abs(y - centre))
    y = np.clip(y, centre - 5 * mad, centre + 5 * mad)
    counts = {k: (industry == k).sum() for k in set(industry.tolist())}
    code = np.array([-1 if k < 0 or counts[k] < least else k for k in industry.tolist()])
    if "industry" not in out:
        code = np.zeros_like(code)
    dummies = np.stack([code == k for k in sorted(set(code.tolist()))], axis=1).astype(float)
    x = np.column_stack([size, dummies]) if "size" in out else dummies
    return y - x @ np.linalg.lstsq(x, y, rcond=None)[0]


@pytest.mark.parametrize("convention", ["t1_close", "t1_vwap", "t0_close"])
def test_agrees_with_least_squares(convention: str) -> None:
    panel, universe = toy_market(90, 60, seed=3)
    settings = neutral_return.Settings(horizon=5, convention=convention, min_industry=14)
    eligible = universe.eligible(RULE)
    label = neutral_return.compute(settings, panel, universe, eligible)
    forward = forward_return(panel, convention, 5)
    size = np.log(panel["float_mv"].astype(float))
    checked = 0
    for t in range(30, 80, 5):
        use = eligible[t] & np.isfinite(forward[t])
        assert (np.isfinite(label[t]) == use).all()
        wanted = reference(forward[t, use], size[t, use], universe.industry[t, use], 14)
        np.testing.assert_allclose(label[t, use], wanted, atol=1e-12)
        checked += use.sum()
    assert checked > 200


@pytest.mark.parametrize("neutralise", [(), ("industry",), ("size",)])
def test_takes_out_what_it_is_told_to(neutralise: tuple[str, ...]) -> None:
    panel, universe = toy_market(90, 60, seed=3)
    eligible = universe.eligible(RULE)
    label = neutral_return.compute(
        neutral_return.Settings(horizon=5, min_industry=14, neutralise=neutralise), panel, universe, eligible
    )
    forward = forward_return(panel, "t1_close", 5)
    size = np.log(panel["float_mv"].astype(float))
    for t in (40, 60):
        use = eligible[t] & np.isfinite(forward[t])
        wanted = reference(forward[t, use], size[t, use], universe.industry[t, use], 14, neutralise)
        np.testing.assert_allclose(label[t, use], wanted, atol=1e-12)
        leans = np.corrcoef(label[t, use], size[t, use])[0, 1]
        assert (abs(leans) < 1e-6) == ("size" in neutralise)


def test_a_return_as_it_is_needs_no_market_value() -> None:
    panel, universe = toy_market(90, 60, seed=3)
    eligible = universe.eligible(RULE)
    panel["float_mv"][50] = np.nan
    counts = [
        np.isfinite(
            neutral_return.compute(neutral_return.Settings(neutralise=out), panel, universe, eligible)[50]
        ).sum()
        for out in ((), ("industry", "size"))
    ]
    assert counts[0] > 20
    assert counts[1] == 0


def test_what_is_taken_out_is_a_set_and_by_default_says_nothing() -> None:
    """Keys of trained jobs go by what is said beyond the defaults."""
    assert neutral_return.Settings().identity() == {}
    assert neutral_return.Settings(neutralise=("size", "industry")) == neutral_return.Settings()
    assert neutral_return.Settings(neutralise=()).identity() == {"neutralise": []}


def test_has_no_size_or_industry_left() -> None:
    panel, universe = toy_market(90, 60, seed=4)
    eligible = universe.eligible(RULE)
    label = neutral_return.compute(neutral_return.Settings(min_industry=3), panel, universe, eligible)
    t = 50
    use = np.isfinite(label[t])
    for k in range(3):
        assert abs(label[t, use & (universe.industry[t] == k)].sum()) < 1e-12
    assert abs(np.corrcoef(label[t, use], np.log(panel["float_mv"][t, use]))[0, 1]) < 1e-6


def test_a_day_without_batch_or_beyond_the_data_has_no_label() -> None:
    panel, universe = toy_market(60, 20)
    settings = neutral_return.Settings(horizon=10)
    label = neutral_return.compute(settings, panel, universe, universe.eligible(RULE))
    assert np.isnan(label[: 60 - 59]).all()
    assert np.isnan(label[-neutral_return.reach(settings) :]).all()
    assert np.isnan(neutral_return.compute(settings, panel, universe, np.zeros(panel.shape, bool))).all()
