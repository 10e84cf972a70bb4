"""The market of one day as the loop sees it, read row by row from panel and universe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Floats
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import PriceField, can_trade
from deepfactor.panel.universe import Universe

_BLOCK = 64


@dataclass(frozen=True)
class TradingDay:
    """One trading day, arrays (N,).

    Attributes
    ----------
    row : int
        of the panel.
    date : datetime64[D]
    ratio : float64
        adj_factor today / yesterday; 1 where there is no ex-date or either isn't known.
    close, price : float64
        close, and the price of fills, in CNY; NaN = no trade.
    can_buy, can_sell : bool
        at `price`.
    open_at_close : bool
        traded, and neither limit holds the close: what a signal of the day may expect to trade.
    traded, listed : bool
    """

    row: int
    date: np.datetime64
    ratio: Float64
    close: Float64
    price: Float64
    can_buy: Bools
    can_sell: Bools
    open_at_close: Bools
    traded: Bools
    listed: Bools


def days(panel: Panel, universe: Universe, rows: range, field: PriceField) -> Iterator[TradingDay]:
    """The days of `rows`, in order; `field` is the price of fills. Day t reads rows t and t − 1 alone."""
    for start in range(rows.start, rows.stop, _BLOCK):
        block = slice(start, min(start + _BLOCK, rows.stop))
        yield from _block(panel, universe, block, field)


def _block(panel: Panel, universe: Universe, block: slice, field: PriceField) -> Iterator[TradingDay]:
    fields = {name: panel[name][block] for name in {"close", "low", "high", field}}
    facts = {name: getattr(universe, name)[block] for name in ("traded", "listed", "limit_up", "limit_down")}
    part = replace(panel, dates=panel.dates[block], fields=fields)
    rules = replace(universe, dates=universe.dates[block], **facts)
    can_buy, can_sell = can_trade(part, rules, field)
    open_at_close = np.logical_and(*(can_trade(part, rules, "close") if field != "close" else (can_buy, can_sell)))
    close = tick_prices(fields["close"])
    price = close if field == "close" else tick_prices(fields[field])
    ratio = _factor_ratio(panel["adj_factor"][max(block.start - 1, 0) : block.stop])[-len(close) :]
    for k, row in enumerate(range(block.start, block.stop)):
        yield TradingDay(
            row, panel.dates[row], ratio[k], close[k], price[k], can_buy[k], can_sell[k], open_at_close[k],
            facts["traded"][k], facts["listed"][k],
        )  # fmt: skip


def _factor_ratio(factor: Floats) -> Float64:
    """Each row of `factor` over the row before, the first over itself; 1 where either isn't a positive number."""
    now = np.asarray(factor, dtype=np.float64)
    before = np.concatenate((now[:1], now[:-1]))
    known = (now > 0) & (before > 0) & np.isfinite(now) & np.isfinite(before)
    return np.where(known, now, 1.0) / np.where(known, before, 1.0)


def tick_prices(price: Floats) -> Float64:
    """float32 prices as float64 CNY, each within float32 rounding of a whole fen set to that fen.

    Averages (vwap) and prices that come adjusted are no ticks and stay as they are. NaN stays NaN.
    """
    exact = np.asarray(price, dtype=np.float64)
    fen = np.rint(exact * 100.0) / 100.0
    return np.where(np.abs(exact - fen) <= 6e-8 * exact, fen, exact)


def last_close(panel: Panel, row: int) -> Float64:
    """Last close at or before `row`, in the share terms of `row`, CNY (N,); NaN = never traded."""
    out = np.full(panel.shape[1], np.nan)
    factor = np.asarray(panel["adj_factor"][row], dtype=np.float64)
    for stop in range(row + 1, 0, -_BLOCK):
        start = max(stop - _BLOCK, 0)
        close = panel["close"][start:stop]
        missing = np.isnan(out)
        seen = np.isfinite(close)
        stocks = np.flatnonzero(missing & seen.any(axis=0))
        at = seen.shape[0] - 1 - seen[::-1, stocks].argmax(axis=0)
        then = np.asarray(panel["adj_factor"][start:stop][at, stocks], dtype=np.float64)
        scale = _factor_ratio(np.stack((then, factor[stocks])))[1]
        out[stocks] = tick_prices(close[at, stocks]) / scale
        if not np.isnan(out).any():
            break
    return out
