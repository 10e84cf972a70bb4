"""RankIC within industries and thirds of size, against SciPy on each part by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from deepfactor.evaluation.parts import THIRDS, rank_ic_within, within_parts
from deepfactor.evaluation.settings import TestSettings
from deepfactor.evaluation.window import cut_window
from deepfactor.panel.returns import forward_return


@pytest.mark.parametrize("seed", range(5))
def test_each_part_is_ranked_by_itself(seed):
    rng = np.random.default_rng(seed)
    scores, returns = rng.integers(0, 9, 80).astype(float), rng.standard_normal(80).round(1)  # with ties
    part = rng.integers(-1, 4, 80)
    found, names = rank_ic_within(scores, returns, part, 4)
    assert names.tolist() == np.bincount(part[part >= 0], minlength=4).tolist()
    assert found == pytest.approx([spearmanr(scores[part == k], returns[part == k])[0] for k in range(4)], abs=1e-12)


def test_a_part_without_spread_or_names_has_none():
    found, names = rank_ic_within(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), 3)
    assert np.isnan(found).all()
    assert names.tolist() == [2, 1, 0]


def test_the_parts_of_a_market(market, scores):
    rng = np.random.default_rng(7)
    T, N = market.panel.shape
    industry = np.broadcast_to(rng.integers(-1, 2, N).astype(np.int16), (T, N))
    universe = replace(market.universe, industry=industry, industries=("Banks", "Steel"))
    cap = np.exp(rng.standard_normal((T, N)).astype(np.float32))
    panel = replace(market.panel, fields={**market.panel.fields, "float_mv": cap})
    settings = TestSettings(universes=("all",), horizons=(5,), conventions=("t1_close",), min_names=4)
    window = cut_window(scores, panel, universe, market.eligible, start=None, end=None, reach=6)
    made = within_parts(window, settings)
    assert [one.name for one in made] == ["Banks", "Steel", "", *THIRDS]
    assert made[0].record()["days"] == np.isfinite(made[0].values).sum() > 0

    ret, x = forward_return(panel, "t1_close", 5), scores.values
    have = market.eligible & np.isfinite(ret) & np.isfinite(x)
    first = int(np.flatnonzero(have.any(axis=1))[0])
    for k in range(len(made[0].values)):
        t = first + 5 * k
        rank = np.full(N, -1)
        rank[have[t]] = np.argsort(np.argsort(cap[t, have[t]])) * 3 // have[t].sum()
        for one, inside in zip(
            made, [*(industry[t] == code for code in (0, 1, -1)), *(rank == third for third in range(3))], strict=True
        ):
            own = inside & have[t]
            assert one.names[k] == own.sum()
            if own.sum() >= 4:
                assert one.values[k] == pytest.approx(spearmanr(x[t, own], ret[t, own])[0], abs=1e-12)
            else:
                assert np.isnan(one.values[k])
