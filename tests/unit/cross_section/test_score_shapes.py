"""Shapes of a score: mean 0, variance 1, order kept, only what the shape says is changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from deepfactor.cross_section.score_shapes import kurtosis, shaped
from deepfactor.cross_section.zscores import zscore_rows


def scores(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = np.exp(rng.standard_normal(n))
    values[rng.random(n) < 0.1] = np.nan
    values[rng.random(n) < 0.1] = 1.0  # equals
    return values, rng.random(n) < 0.9


@pytest.mark.parametrize("shape", ["z", "winsorised", "rank"])
@given(seed=st.integers(0, 50), unit=st.sampled_from([1.0, 1e300, 1e-300, -1.0]))
def test_standardised_in_order_and_free_of_the_unit(shape: str, seed: int, unit: float) -> None:
    values, mask = scores(seed)
    z = shaped(values * unit, mask, shape)
    inside = mask & np.isfinite(values)
    assert np.array_equal(np.isfinite(z), inside)
    assert z[inside].mean() == pytest.approx(0, abs=1e-9)
    assert z[inside].std() == pytest.approx(1)
    order = np.argsort(values[inside] * unit, kind="stable")
    assert (np.diff(z[inside][order]) >= -1e-12).all()
    assert np.allclose(z[inside], shaped(values, mask, shape)[inside] * np.sign(unit), atol=1e-6)


def test_each_shape_by_other_means() -> None:
    values, mask = scores(1)
    inside = mask & np.isfinite(values)
    known = values[inside]
    assert np.array_equal(shaped(values, mask), zscore_rows(values[None], mask[None])[0], equal_nan=True)
    assert np.allclose(shaped(values, mask, "rank")[inside], stats.zscore(stats.rankdata(known)))
    reach = 3 * stats.median_abs_deviation(known, scale="normal")
    clipped = np.clip(known, np.median(known) - reach, np.median(known) + reach)
    assert np.allclose(shaped(values, mask, "winsorised")[inside], stats.zscore(clipped), rtol=1e-4)


def test_a_day_without_scores_or_differences() -> None:
    nothing = np.full(5, np.nan)
    for shape in ("z", "winsorised", "rank"):
        assert np.isnan(shaped(nothing, np.ones(5, bool), shape)).all()
        assert np.array_equal(shaped(np.ones(5), np.ones(5, bool), shape), np.zeros(5))


def test_kurtosis_tells_a_heavy_tail() -> None:
    rng = np.random.default_rng(0)
    assert kurtosis(stats.zscore(rng.standard_normal(100_000))) == pytest.approx(3, abs=0.1)
    assert kurtosis(stats.zscore(rng.random(100_000))) == pytest.approx(1.8, abs=0.05)
    assert kurtosis(stats.zscore(rng.standard_t(3, 100_000))) > 6
    assert kurtosis(np.array([np.nan])) == 0
