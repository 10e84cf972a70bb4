"""The size-group trend's own kernel on 150 days of published returns: what there is to gain from the groups."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.pipeline.markets import Market
from deepfactor.sources._simulation.alpha import KERNELS
from deepfactor.sources._simulation.cross_section import SIZE_GROUPS, group_mean, size_groups, zscore

#: Days of a network's window.
WINDOW = 150


def kernel_scores(market: Market, test: range) -> dict[str, Float64]:
    """Scores (days, N) of the test rows by the kernel that alpha has.

    On returns less the mean of all stocks, which is what a stock's standardised window shows, and on returns less the
    mean of the size group.
    """
    panel, traded = market.panel, market.universe.traded
    price = panel["close"].astype(np.float64) * panel["adj_factor"]
    returns = np.zeros(price.shape)
    returns[1:] = np.nan_to_num(price[1:] / price[:-1] - 1.0)
    cap = np.log(panel.market_cap("total").astype(np.float64))
    own, relative = np.zeros(price.shape), np.zeros(price.shape)
    for t in range(test.start - WINDOW, test.stop):
        group = size_groups(cap[t], traded[t])
        own[t] = zscore(returns[t], traded[t])
        relative[t] = zscore(returns[t] - group_mean(returns[t], traded[t], group, SIZE_GROUPS), traded[t])
    return {"kernel, own returns": _filtered(own, test), "kernel, less group mean": _filtered(relative, test)}


def _filtered(signal: Float64, test: range) -> Float64:
    """Σ (λ_slow^j − λ_skip^j) · signal[t − j] over the window, of the rows `test`."""
    slow, skip = (0.5 ** (1 / days) for days in KERNELS["trend"])
    out = np.zeros((len(test), signal.shape[1]))
    for lag in range(WINDOW):
        out += (slow**lag - skip**lag) * signal[test.start - lag : test.stop - lag]
    return out
