"""The scalings against slow computations in pandas, lag by lag and feature by feature."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch

from deepfactor.core.errors import RecipeError
from deepfactor.features.base import Features, Role
from deepfactor.training.scalings import by_day, in_window, last_close
from deepfactor.training.scalings.standardising import apply

NAMES = ("open", "close", "volume", "ratio")
ROLES: tuple[Role, ...] = ("price", "price", "volume", "plain")
FEATURES = Features(NAMES, ROLES, np.empty((0, 0, 4), np.float32))


def windows(stocks: int, seed: int = 0, missing: float = 0.1) -> np.ndarray:
    """(L, b, f) logs with gaps, outliers, a lag without spread in most stocks, and a lag without any value."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((12, 4, stocks)) * 0.3 + rng.standard_normal(stocks)
    x[:, :, 0] += 4 * rng.standard_normal((12, 4))
    x[:, 2] += 12
    x[rng.random(x.shape) < missing] = np.nan
    x[-1, 1] = rng.standard_normal(stocks)
    x[3, 3] = np.where(rng.random(stocks) < 0.7, 0.25, rng.standard_normal(stocks))
    x[4, 3] = np.nan
    x[5, 3] = 1.5
    return np.ascontiguousarray(x.transpose(0, 2, 1), np.float32)


def scaled(x: np.ndarray, kind: ModuleType = last_close) -> np.ndarray:
    """`x` (L, b, f) standardised."""
    out = torch.tensor(x)
    apply(out, kind.standard(kind.Settings(), FEATURES, x))
    return out.numpy()


@pytest.mark.parametrize("kind", [last_close, in_window])
@pytest.mark.parametrize("stocks", [1, 2, 40, 41])
def test_by_torch_the_same_but_for_rounding(kind: ModuleType, stocks: int) -> None:
    """Gaps, a lag that nobody has, one without spread, even and odd numbers of stocks."""
    x = windows(stocks)
    standard = kind.standard(kind.Settings(), FEATURES, x)
    numbers = kind.numbers(kind.Settings(), FEATURES, torch.tensor(x))
    for name in numbers._fields:
        np.testing.assert_allclose(getattr(numbers, name), getattr(standard, name), rtol=1e-5, atol=1e-5, err_msg=name)
    out = torch.tensor(x)
    apply(out, numbers)
    np.testing.assert_allclose(out, scaled(x, kind), rtol=1e-5, atol=1e-5)


def standardised(column: pd.Series) -> pd.Series:
    """Clip at median ± 5 MAD, z-score, missing → 0."""
    median = column.median()
    mad = (column - median).abs().median()
    if mad > 0:
        column = column.clip(median - 5 * 1.4826 * mad, median + 5 * 1.4826 * mad)
    scale = column.std(ddof=0)
    return ((column - column.mean()) / scale if scale >= 1e-6 else 0 * column).fillna(0.0)


def reference(x: np.ndarray) -> np.ndarray:
    x = x.transpose(0, 2, 1).astype(np.float64)
    last = x[-1, 1].copy()
    out = np.empty_like(x)
    for lag in range(len(x)):
        for k, role in enumerate(ROLES):
            column = pd.Series(x[lag, k])
            if role == "price":
                column = column - last
            elif role == "volume":
                column = column - np.log(pd.DataFrame(np.exp(x[:, k])).mean())
            out[lag, k] = standardised(column)
    return out.transpose(0, 2, 1)


@pytest.mark.parametrize("stocks", [1, 2, 5, 40, 41, 64, 130])
@pytest.mark.parametrize("missing", [0.0, 0.1, 0.6])
def test_last_close_like_the_slow_way(stocks: int, missing: float) -> None:
    x = windows(stocks, seed=stocks, missing=missing)
    np.testing.assert_allclose(scaled(x), reference(x), atol=2e-5)


def test_no_clip_without_spread_in_most_stocks_and_zero_for_a_constant_lag() -> None:
    stats = last_close.standard(last_close.Settings(), FEATURES, windows(60))
    assert np.isinf(stats.low[3, 3])
    assert np.isinf(stats.high[3, 3])
    assert stats.inverse[3, 3] > 0
    assert stats.inverse[5, 3] == 0
    assert stats.inverse[-1, 1] == 0  # the last lag of close is 0 for every stock


def test_in_window_like_the_slow_way() -> None:
    x = windows(40)
    x[:, 3] = np.float32(np.nan)  # a stock never seen
    x[:, 5, 2] = 1.5  # and one whose volume never changes
    wanted = np.zeros(x.shape)
    for i in range(40):
        for k in range(4):
            column = pd.Series(x[:, i, k].astype(np.float64))
            scale = column.std(ddof=0)
            z = (column - column.mean()) / scale if scale >= 1e-6 else 0 * column
            wanted[:, i, k] = z.clip(-5, 5).fillna(0.0)
    np.testing.assert_allclose(scaled(x, in_window), wanted, atol=2e-5)


def test_in_window_clips_and_no_other_stock_enters() -> None:
    x = np.random.default_rng(0).standard_normal((150, 20, 4)).astype(np.float32)
    x[70, 0, 1] = 1000
    assert scaled(x, in_window)[70, 0, 1] == 5
    np.testing.assert_array_equal(scaled(x, in_window)[:, 3:7], scaled(x[:, 3:7].copy(), in_window))


def test_by_day_like_the_slow_way() -> None:
    days, stocks, trailing = 30, 25, 4
    rng = np.random.default_rng(0)
    x = rng.standard_normal((days, stocks, 4))
    x[rng.random((days, stocks)) < 0.4] = np.nan
    eligible = np.isfinite(x[..., 0]) & (rng.random((days, stocks)) < 0.8)
    eligible[11] = False
    x = x.astype(np.float32)
    settings, features = by_day.Settings(trailing=trailing), Features(NAMES, ROLES, x)
    got = by_day.rows(settings, features, eligible, range(days))
    for s in range(1, days):
        for k, role in enumerate(ROLES):
            before = pd.DataFrame(x[max(s - trailing, 0) : s, :, 1 if role == "price" else k].astype(np.float64))
            base = before.ffill().iloc[-1] if role == "price" else np.log(np.exp(before).mean())
            column = pd.Series(x[s, :, k].astype(np.float64)) - (0 if role == "plain" else base)
            own = column[eligible[s]]
            wanted = np.zeros(stocks)
            if len(own):
                median = own.median()
                mad = (own - median).abs().median()
                bounds = (median - 5 * 1.4826 * mad, median + 5 * 1.4826 * mad)
                clipped = own.clip(*bounds)
                wanted = ((column.clip(*bounds) - clipped.mean()) / clipped.std(ddof=0)).fillna(0.0).to_numpy()
            np.testing.assert_allclose(got[s, :, k], wanted, atol=5e-5, err_msg=f"day {s}, {NAMES[k]}")
    assert not got[11].any()
    assert not got[0].any()
    np.testing.assert_array_equal(by_day.rows(settings, features, eligible, range(7, 19)), got[7:19])


@pytest.mark.parametrize("kind", [last_close, by_day])
def test_prices_need_a_close(kind: ModuleType) -> None:
    with pytest.raises(RecipeError, match="close"):
        kind.check(Features(("open",), ("price",), np.empty((0, 0, 1), np.float32)))
