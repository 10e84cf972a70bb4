"""Z-scores by day: what has no spread, and that the unit doesn't count."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.cross_section.plain_size import constant_rows, in_plain_size
from deepfactor.cross_section.zscores import zscore_rows

EXTREME = (1e160, 1e300, 1e-170, 1e-300)


def plain(values, mask):
    """By definition, row by row."""
    out = np.full(values.shape, np.nan)
    for t, (row, kept) in enumerate(zip(values, mask & np.isfinite(values), strict=True)):
        if kept.any():
            out[t, kept] = (row[kept] - row[kept].mean()) / (row[kept].std() or 1.0)
    return out


@pytest.fixture(scope="module")
def values():
    values = np.random.default_rng(0).standard_normal((20, 50))
    values[3, 7], values[5] = np.nan, np.nan
    return values


def test_a_z_score_is_the_deviation_over_the_populations(values):
    mask = np.random.default_rng(1).random(values.shape) < 0.8
    np.testing.assert_allclose(zscore_rows(values, mask), plain(values, mask), rtol=1e-12)


@pytest.mark.parametrize("scale", EXTREME)
def test_scores_of_any_size_have_the_same_z_scores(values, scale):
    mask = np.isfinite(values)
    np.testing.assert_allclose(zscore_rows(values * scale, mask), zscore_rows(values, mask), rtol=1e-9)


def test_a_power_of_two_changes_no_bit(values):
    mask = np.isfinite(values)
    want = zscore_rows(values, mask)
    for power in (-900, -3, 3, 900):
        np.testing.assert_array_equal(zscore_rows(np.ldexp(values, power), mask), want)


def test_the_largest_doubles_have_z_scores():
    top = np.finfo(np.float64).max
    np.testing.assert_allclose(zscore_rows(np.array([[top, top, -top, -top]]), np.ones((1, 4), bool)),
                               [[1, 1, -1, -1]])  # fmt: skip


def test_one_value_is_no_spread_whatever_its_mean_rounds_to():
    values = np.full((3, 60), 0.1)  # the mean of sixty is another number
    values[1] = 1e300
    np.testing.assert_array_equal(zscore_rows(values, np.ones(values.shape, bool)), 0.0)
    np.testing.assert_array_equal(constant_rows(values, np.ones(values.shape, bool)), True)


def test_one_name_far_out_leaves_the_others_at_one_value():
    values = np.arange(10.0)[None]
    values[0, 4] = 1e300
    z = zscore_rows(values, np.ones((1, 10), bool))[0]
    assert z[4] == pytest.approx(3.0)
    np.testing.assert_allclose(np.delete(z, 4), -1 / 3)


def test_numbers_of_plain_size_stay_the_same_array(values):
    finite = np.nan_to_num(values)
    assert in_plain_size(finite) is finite
    assert np.abs(in_plain_size(finite * 1e200)).max() <= 1.0
