"""Variants that stand beside each other: equal where they should be, apart where they are named for it."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.cross_section.clipping import (
    MAD_TO_SIGMA,
    clip_mad,
    clip_mad_rows,
    clip_raw_mad,
    mad_bounds_of_sorted,
    median,
)
from deepfactor.cross_section.correlation import spearman, spearman_rows
from deepfactor.cross_section.ranks import day_orders
from deepfactor.cross_section.regression import (
    GroupLines,
    neutralise_rows,
    residual_on_groups,
    residual_rows,
    weighted_fit,
)
from deepfactor.cross_section.zscores import zscore, zscore_rows, zscore_rows_by_cap


def days(seed: int = 0, ties: bool = False, shape: tuple[int, int] = (40, 211)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    x = np.round(x, 1) if ties else x
    x[rng.random(shape) < 0.2] = np.nan
    return x


@pytest.mark.parametrize("ties", [False, True])
def test_one_day_and_rows_clip_to_the_same_bits(ties):
    x = days(ties=ties)
    rows = clip_mad_rows(x, 2.0)
    for row, clipped in zip(x, rows, strict=True):
        known = np.isfinite(row)
        np.testing.assert_array_equal(clipped[known], clip_mad(row[known], 2.0))
        assert np.isnan(clipped[~known]).all()


@pytest.mark.parametrize("ties", [False, True])
def test_sorted_rows_have_the_bounds_of_the_raw_clip(ties):
    x = days(ties=ties).astype(np.float32)
    ordered, count = np.sort(x, axis=1), np.isfinite(x).sum(axis=1)
    low, high = mad_bounds_of_sorted(ordered, count, 2.0 * MAD_TO_SIGMA)
    for row, a, b in zip(x, low, high, strict=True):
        value = row[np.isfinite(row)].astype(np.float64)
        clipped = clip_raw_mad(value, 2.0 * MAD_TO_SIGMA)
        np.testing.assert_allclose(clipped, np.clip(value, a, b), rtol=1e-6)


def test_median_is_numpys_bit_for_bit():
    rng = np.random.default_rng(3)
    for count in range(1, 60):
        for values in (rng.standard_normal(count), np.round(rng.standard_normal(count)), np.full(count, -0.0)):
            assert np.float64(median(values)).tobytes() == np.median(values).tobytes()


def test_nothing_and_constants_are_left_as_they_are():
    for values in (np.zeros(0), np.ones(7)):
        np.testing.assert_array_equal(clip_mad(values, 5.0), values)
        np.testing.assert_array_equal(clip_raw_mad(values, 5.0), values)
        np.testing.assert_array_equal(zscore(values), np.zeros(len(values)))


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_of_a_day_has_the_bits_of_rows(ties):
    x, y = days(1, ties), days(2, ties)
    kept = np.isfinite(x) & np.isfinite(y)
    rows = spearman_rows(x, day_orders(x), y, day_orders(y), kept)
    single = [spearman(a[k], b[k]) for a, b, k in zip(x, y, kept, strict=True)]
    assert np.array(single).tobytes() == rows.tobytes()
    assert spearman(np.ones(5), np.arange(5.0)) == 0.0


def test_zscores_agree_but_for_rounding():
    x, everyone = days(), np.ones((40, 211), bool)
    rows = zscore_rows(x, everyone)
    by_equal_cap = zscore_rows_by_cap(x, np.ones(x.shape))
    for row, z, c in zip(x, rows, by_equal_cap, strict=True):
        known = np.isfinite(row)
        np.testing.assert_allclose(z[known], zscore(row[known]), atol=1e-12)
        np.testing.assert_allclose(c[known], zscore(row[known]), atol=1e-12)


def test_regressions_on_groups_and_size_agree():
    """Lines through group means, one slope; rows by pseudo-inverse; weighted with weight 1; numpy's least squares."""
    rng = np.random.default_rng(5)
    y, x, group = rng.standard_normal(90), rng.standard_normal(90), rng.integers(0, 4, 90)
    design = np.column_stack([np.eye(4)[group], x])
    expected = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(residual_on_groups(y, group, x), expected, atol=1e-12)
    lines = GroupLines.of(y, group, x)
    np.testing.assert_allclose(y - lines.fitted(group, x), expected, atol=1e-12)
    rows = neutralise_rows(y[None], np.ones((1, 90), bool), [x[None]], group[None])
    np.testing.assert_allclose(rows[0], expected, atol=1e-12)
    fit = weighted_fit(y, x[None], group, np.ones(90), 4)
    np.testing.assert_allclose(y - fit.levels[group] - fit.slopes[0] * x, expected, atol=1e-12)
    dummies = [np.where(group == g, 1.0, 0.0)[None] for g in range(1, 4)]
    np.testing.assert_allclose(residual_rows(y[None], [*dummies, x[None]])[0], expected, atol=1e-12)


def test_a_regressor_without_spread_leaves_the_group_means():
    y, group = np.arange(6.0), np.array([0, 0, 0, 1, 1, 1])
    assert GroupLines.of(y, group, np.ones(6)).slope is None
    np.testing.assert_allclose(residual_on_groups(y, group, np.ones(6)), [-1, 0, 1, -1, 0, 1])
    assert np.isnan(GroupLines.of(y, group, y, groups=3).level[2])
