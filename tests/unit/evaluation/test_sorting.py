"""Radix order against numpy's stable sort, where codes are exact, shared, or can't be had."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.evaluation.ic import _CHUNK, row_sums
from deepfactor.evaluation.sorting import _LONG, ascending

ROWS, WIDTH = 5, _LONG + 100


def normal() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((ROWS, WIDTH))


CASES = {
    "normal": normal(),
    "short": normal()[:, :50],
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


def test_zeros_behind_a_row_change_no_bit_of_its_sum():
    values = normal()
    for names in (1, 30, 65, 500, 1001):
        width = -(-names // _CHUNK) * _CHUNK
        packed = np.where(np.arange(width) < names, values[:, :width], 0.0)
        for more in range(1, 12):
            wider = np.hstack([packed, np.zeros((ROWS, more * _CHUNK))])
            np.testing.assert_array_equal(row_sums(wider), row_sums(packed))
            np.testing.assert_array_equal(row_sums(wider[2:3]), row_sums(packed)[2:3])
    np.testing.assert_allclose(row_sums(values), values.sum(axis=1), rtol=1e-12)
