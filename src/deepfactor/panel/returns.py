"""Returns between named points of the clock, and who can trade there. Formed in float64 as (p₁f₁)/(p₀f₀) − 1."""

from __future__ import annotations

from typing import Literal

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

#: entry → exit of a score of day t held h days.
#: t0_close: close t → close t+h (can't be traded); t1_vwap: vwap t+1 → vwap t+1+h; t1_close: close t+1 → close t+1+h.
Convention = Literal["t0_close", "t1_vwap", "t1_close"]
CONVENTIONS: tuple[Convention, ...] = ("t0_close", "t1_vwap", "t1_close")
PriceField = Literal["close", "vwap", "open"]

#: Longest return that is formed, in trading days: four years.
MOST_DAYS = 1000

#: Days worked on at once where temporaries of several arrays are to stay in cache.
_BLOCK = 16


def entry(convention: Convention) -> tuple[int, PriceField]:
    """Days from the score to its entry, and the price field of entry and exit."""
    return (0 if convention == "t0_close" else 1), ("vwap" if convention == "t1_vwap" else "close")


def adjusted(panel: Panel, field: PriceField) -> Float64:
    """Raw price × cumulative backward factor, (T, N) float64; NaN where no trade."""
    return panel[field].astype(np.float64) * panel["adj_factor"]


def forward_return(panel: Panel, convention: Convention, horizon: int) -> Float64:
    """Simple return of a score of day t under a convention, (T, N) float64.

    A missing entry or exit price (no trade, or beyond the data) is a missing return; nothing is filled forward.
    """
    delay, field = entry(convention)
    price = adjusted(panel, field)
    T = len(price)
    out = np.full(price.shape, np.nan)
    if delay + horizon < T:
        out[: T - delay - horizon] = price[delay + horizon :] / price[delay : T - horizon] - 1.0
    return out


def trailing_return(panel: Panel, days: int) -> Float64:
    """Close t−days → close t, (T, N) float64; NaN where either close is missing."""
    price = adjusted(panel, "close")
    out = np.full(price.shape, np.nan)
    out[days:] = price[days:] / price[: len(price) - days] - 1.0
    return out


def can_trade(panel: Panel, universe: Universe, field: PriceField) -> tuple[Bools, Bools]:
    """(can_buy, can_sell) on each day at the day's `field` price, both (T, N).

    No trade: neither. The price at the upper limit, or the whole day at it: no buying; at the lower: no selling.
    """
    buy, sell = np.empty(panel.shape, np.bool_), np.empty(panel.shape, np.bool_)
    for first in range(0, len(buy), _BLOCK):
        rows = slice(first, first + _BLOCK)
        price, low, high = (_fen(panel[name][rows]) for name in (field, "low", "high"))
        up, down = universe.limit_up[rows], universe.limit_down[rows]
        open_ = universe.traded[rows] & np.isfinite(price)
        np.logical_and(open_, ~((up > 0) & ((price >= up) | (low >= up))), out=buy[rows])
        # A missing high counts as 0, so as one at the limit.
        np.logical_and(open_, ~((down > 0) & ~((price > down) & (high > down))), out=sell[rows])
    return buy, sell


def _fen(price: Floats) -> Float64:
    """Prices in whole fen, NaN where missing."""
    fen = price.astype(np.float64)
    fen *= 100
    return np.rint(fen, out=fen)


def tradeable_at_entry(panel: Panel, universe: Universe, convention: Convention) -> Bools:
    """(T, N): a score of day t could be entered, at neither limit. Rows whose entry lies beyond the data are False."""
    buy, sell = can_trade(panel, universe, entry(convention)[1])
    return at_entry(buy & sell, convention)


def at_entry(flags: Bools, convention: Convention) -> Bools:
    """(T, N) flags of days at the entries of the days' scores; False where the entry lies beyond the data."""
    delay, _ = entry(convention)
    out = np.zeros_like(flags)
    out[: len(out) - delay] = flags[delay:]
    return out
