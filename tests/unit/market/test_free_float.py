"""CSI's tiers of free float, by the table of its rules."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.market.free_float import inclusion_factor


@pytest.mark.parametrize(
    ("free_float", "factor"),
    [
        (0.0, 0.0), (0.001, 0.01), (0.05, 0.05), (0.0501, 0.06), (0.14, 0.14), (0.1401, 0.15), (0.15, 0.15),
        (0.1501, 0.2), (0.2, 0.2), (0.2001, 0.3), (0.3, 0.3), (0.35, 0.4), (0.5, 0.5), (0.5001, 0.6), (0.7, 0.7),
        (0.7001, 0.8), (0.8, 0.8), (0.8001, 1.0), (1.0, 1.0),
    ],
)  # fmt: skip
def test_tiers(free_float, factor):
    assert inclusion_factor(np.array([free_float]))[0] == pytest.approx(factor, abs=1e-15)


def test_an_edge_missed_by_rounding_is_the_edge():
    edges = np.array([0.07, 0.15, 0.2, 0.3, 0.6, 0.7, 0.8])
    shares = np.round(edges * 123_456_789) / 123_456_789
    np.testing.assert_allclose(inclusion_factor(edges + 1e-12), edges)
    assert np.abs(shares - edges).max() > 1e-12
    assert np.isnan(inclusion_factor(np.array([np.nan]))[0])
