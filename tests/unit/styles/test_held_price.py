"""The last close that a stock is held at, from any day on, against all days at once."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.panel.panel import Panel
from deepfactor.styles._descriptors import held_log_price


@pytest.mark.parametrize("first", [0, 1, 64, 65, 130, 199])
def test_the_last_close_before_the_first_day_counts(first):
    rng = np.random.default_rng(0)
    close = rng.uniform(1, 100, (200, 40)).astype(np.float32)
    close[rng.random(close.shape) < 0.3] = np.nan
    close[:, 0] = np.nan  # never traded
    close[5:, 1] = np.nan  # not for long
    close[:150, 2] = np.nan  # not yet
    dates = np.datetime64("2020-01-01") + np.arange(200)
    symbols = np.array([f"{600000 + k}.SH" for k in range(40)])
    panel = Panel(dates, symbols, {"close": close, "adj_factor": rng.uniform(1, 2, close.shape)}, "p")
    every = np.log(close.astype(np.float64) * panel["adj_factor"])
    for t in range(1, len(every)):
        every[t] = np.where(np.isnan(every[t]), every[t - 1], every[t])
    np.testing.assert_array_equal(held_log_price(panel, first), every[first:])
