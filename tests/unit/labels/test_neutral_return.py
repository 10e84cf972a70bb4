"""The neutralised label against plain least squares."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.labels import neutral_return
from deepfactor.panel.returns import forward_return
from deepfactor.panel.universe import UniverseRule
from support.toy import toy_market

RULE = UniverseRule(window=20, min_observed=12)


def reference(y: np.ndarray, size: np.ndarray, industry: np.ndarray, least: int) -> np.ndarray:
    """Winsorise, then lstsq on ln cap and one dummy an industry; small and unknown industries share one."""
    centre = np.median(y)
    mad = 1.4826 * np.median(np.abs(y - centre))
    y = np.clip(y, centre - 5 * mad, centre + 5 * mad)
    counts = {k: (industry == k).sum() for k in set(industry.tolist())}
    code = np.array([-1 if k < 0 or counts[k] < least else k for k in industry.tolist()])
    dummies = np.stack([code == k for k in sorted(set(code.tolist()))], axis=1).astype(float)
    x = np.column_stack([size, dummies])
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
