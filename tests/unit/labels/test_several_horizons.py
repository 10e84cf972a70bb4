"""The label over several horizons against each horizon's own."""

from __future__ import annotations

import numpy as np

from deepfactor.labels import neutral_return, several_horizons
from deepfactor.panel.universe import UniverseRule
from support.toy import toy_market


def test_it_is_the_mean_of_each_horizons_z_scores() -> None:
    panel, universe = toy_market(90, 50, seed=3)
    eligible = universe.eligible(UniverseRule(window=20, min_observed=12))
    settings = several_horizons.Settings(horizon=2, multiples=(5, 1))
    label = several_horizons.compute(settings, panel, universe, eligible)
    one = [neutral_return.Settings(horizon=h) for h in (2, 10)]
    own = [neutral_return.compute(each, panel, universe, eligible) for each in one]
    assert several_horizons.reach(settings) == 11
    for t in range(25, 75):
        z = [(x[t] - np.nanmean(x[t])) / np.nanstd(x[t]) for x in own]
        np.testing.assert_allclose(label[t], (z[0] + z[1]) / 2, atol=1e-9)
    assert np.isfinite(label[30]).sum() > 30
