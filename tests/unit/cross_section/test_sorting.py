"""Radix order against numpy's stable sort, where codes are exact, shared, or can't be had."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.cross_section.rows import CHUNK, row_dots, row_sums
from deepfactor.cross_section.sorting import _LONG, ascending, ranked, sort_rows

ROWS, WIDTH = 5, 1124


def normal() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((ROWS, WIDTH))


CASES = {
    "normal": normal(),
    "short": normal()[:, : _LONG // 2],
    "ties": np.round(normal(), 1),
    "signed zeros": np.where(normal() > 0, 0.0, -0.0),
    "constant": np.ones((ROWS, WIDTH)),
    "one far away": np.where(np.arange(WIDTH) == 7, 1e12, normal()),
    "closer than codes": np.where(np.arange(WIDTH) == 7, 1.0, 1e-15 * normal()),
    "denormal": 1e-320 * normal(),
    "wider than a double": 1.7e308 * np.sign(normal()),
    "minus infinity": np.where(np.arange(WIDTH) == 7, -np.inf, normal()),
    "no columns": np.zeros((ROWS, 0)),
}


@pytest.mark.parametrize("case", CASES)
def test_order_is_numpys_stable_one(case):
    values = CASES[case].copy()
    values[:, ::9] = np.inf
    values[3] = np.inf
    expected = np.argsort(values, axis=1, kind="stable") + np.arange(ROWS)[:, None] * values.shape[1]
    np.testing.assert_array_equal(ascending(values), expected)
    order, ordered = sort_rows(values)
    np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(ordered, np.take(values, expected))


def test_a_known_order_ranks_what_is_left_of_the_scores():
    score = np.array([2.0, np.nan, 1.0, 2.0, -np.inf, 0.5, 3.0])
    order = np.argsort(score, kind="stable").astype(np.int32)
    assert ranked(score).tolist() == [5, 2, 0, 3, 6]
    part = np.where([1, 1, 0, 1, 1, 1, 1], score, np.nan)
    assert ranked(part, order).tolist() == ranked(part).tolist() == [5, 0, 3, 6]


def test_zeros_behind_a_row_change_no_bit_of_its_sum():
    values = normal()
    for names in (1, 30, 65, 500, 1001):
        width = -(-names // CHUNK) * CHUNK
        packed = np.where(np.arange(width) < names, values[:, :width], 0.0)
        for more in range(1, 12):
            wider = np.hstack([packed, np.zeros((ROWS, more * CHUNK))])
            np.testing.assert_array_equal(row_sums(wider), row_sums(packed))
            np.testing.assert_array_equal(row_sums(wider[2:3]), row_sums(packed)[2:3])
            np.testing.assert_array_equal(row_dots(wider, wider), row_dots(packed, packed))
            np.testing.assert_array_equal(row_dots(wider[2:3], wider[2:3]), row_dots(packed, packed)[2:3])
    np.testing.assert_allclose(row_sums(values), values.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(row_dots(values, values), (values**2).sum(axis=1), rtol=1e-12)
