"""`last_close` against a slow computation in pandas, lag by lag and feature by feature."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from deepfactor.core.errors import RecipeError
from deepfactor.training import scaling

NAMES = ("open", "close", "volume", "ratio")
ROLES = ("price", "price", "volume", "plain")


def windows(stocks: int, seed: int = 0, missing: float = 0.1) -> np.ndarray:
    """(L, f, b) logs with gaps, outliers, a lag without spread in most stocks, and a lag without any value."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((12, 4, stocks)) * 0.3 + rng.standard_normal(stocks)
    x[:, :, 0] += 4 * rng.standard_normal((12, 4))
    x[:, 2] += 12
    x[rng.random(x.shape) < missing] = np.nan
    x[-1, 1] = rng.standard_normal(stocks)
    x[3, 3] = np.where(rng.random(stocks) < 0.7, 0.25, rng.standard_normal(stocks))
    x[4, 3] = np.nan
    x[5, 3] = 1.5
    return x.astype(np.float32)


def reference(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    last = x[-1, 1].copy()
    out = np.empty_like(x)
    for lag in range(len(x)):
        for k, role in enumerate(ROLES):
            column = pd.Series(x[lag, k])
            if role == "price":
                column = column - last
            elif role == "volume":
                column = column - np.log(pd.DataFrame(np.exp(x[:, k])).mean())
            median = column.median()
            mad = (column - median).abs().median()
            if mad > 0:
                column = column.clip(median - 5 * 1.4826 * mad, median + 5 * 1.4826 * mad)
            scale = column.std(ddof=0)
            z = (column - column.mean()) / scale if scale >= 1e-6 else 0 * column
            out[lag, k] = z.fillna(0.0)
    return out


@pytest.mark.parametrize("stocks", [1, 2, 5, 40, 41])
@pytest.mark.parametrize("missing", [0.0, 0.1, 0.6])
def test_like_the_slow_way(stocks: int, missing: float) -> None:
    x = windows(stocks, seed=stocks, missing=missing)
    wanted = reference(x)
    scaling.make_relative(x, NAMES, ROLES)
    scaling.apply(x, scaling.statistics(x))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, wanted, atol=2e-5)


def test_no_clip_without_spread_in_most_stocks_and_zero_for_a_constant_lag() -> None:
    x = windows(60)
    scaling.make_relative(x, NAMES, ROLES)
    stats = scaling.statistics(x)
    assert np.isinf(stats.low[3, 3])
    assert np.isinf(stats.high[3, 3])
    assert stats.inverse[3, 3] > 0
    assert stats.inverse[5, 3] == 0
    assert stats.inverse[-1, 1] == 0  # the last lag of close is 0 for every stock


def test_statistics_leave_the_windows_alone() -> None:
    x = windows(30)
    before = x.copy()
    scaling.statistics(x)
    np.testing.assert_array_equal(x, before)


def test_a_later_adjustment_factor_changes_nothing() -> None:
    """All prices of a stock times two, all its volumes by two: the same sample but for rounding."""
    x, y = windows(30), windows(30)
    y[:, :2, 7] += np.float32(np.log(2))
    y[:, 2, 7] -= np.float32(np.log(2))
    for z in (x, y):
        scaling.make_relative(z, NAMES, ROLES)
        scaling.apply(z, scaling.statistics(z))
    np.testing.assert_allclose(x, y, atol=2e-5)


def test_prices_need_a_close() -> None:
    with pytest.raises(RecipeError, match="close"):
        scaling.make_relative(windows(3)[:, :1], ("open",), ("price",))
