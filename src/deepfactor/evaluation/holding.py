"""Equal-weight portfolios: bought in equal parts, drifting with prices in between; what can't be sold stays. A name
that is shared between portfolios (`membership`) gets its share of an equal part.

No lots and no cash: a paper portfolio as the studies' factor tests have it. The backtest does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Indices
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import PriceField, adjusted, can_trade
from deepfactor.panel.universe import Universe


@dataclass(frozen=True)
class Marks:
    """Prices at which holdings are traded and valued, and who can be traded; all (T, N).

    Attributes
    ----------
    prices : float64
        adjusted; carried forward over days without a price (so the return there is 0 until the stock trades again),
        and cut by the haircut from a delisting on. NaN before the first price.
    missing : bool
        no price that day: `prices` is carried.
    enterable : bool
        trades at neither limit that day.
    sellable : bool
        can be sold that day; a delisted stock counts as sold (settled).
    delisted : bool
        was listed in this window and is no more.
    """

    prices: Float64
    missing: Bools
    enterable: Bools
    sellable: Bools
    delisted: Bools

    @staticmethod
    def of(panel: Panel, universe: Universe, price: PriceField, *, delist_haircut: float) -> Marks:
        """Of a market at its daily `price`; a delisting settles at the last price × (1 − haircut)."""
        prices = adjusted(panel, price)
        missing = ~np.isfinite(prices)
        for today, before, gone in zip(prices[1:], prices[:-1], missing[1:], strict=True):
            np.copyto(today, before, where=gone)
        delisted = ~universe.listed & np.maximum.accumulate(universe.listed, axis=0) & missing
        prices[delisted] *= 1.0 - delist_haircut
        buy, sell = can_trade(panel, universe, price)
        return Marks(prices, missing, buy & sell, sell | delisted, delisted)


@dataclass(frozen=True)
class Formation:
    """Names that the portfolios take on a row, at that row's price; all (K,), in any order.

    Attributes
    ----------
    portfolios : 0 … G − 1
    names : columns, enterable on that row
    parts : relative sizes (> 0) within each portfolio; None = equal
    """

    row: int
    portfolios: Indices
    names: Indices
    parts: Float64 | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Holdings:
    """Which portfolio holds which name at what weight; all (K,)."""

    portfolios: Indices
    names: Indices
    weights: Float64

    def at(self, kept: Bools) -> Holdings:
        """Those of `kept` (K,)."""
        return Holdings(self.portfolios[kept], self.names[kept], self.weights[kept])


@dataclass(frozen=True)
class Held:
    """What became of G portfolios.

    Attributes
    ----------
    rows : (D,)
        days from the first rebalance to the end; empty if there was none.
    nav : (D, G) float64
        before cost, 1 at the first rebalance.
    rebalances : (R,)
        positions in `rows` of the trades.
    traded : (R, G) float64
        Σ|Δw| of each rebalance from the drifted weights: buys plus sells, 1 for the first purchase.
    counts : count a reason
    """

    rows: Indices
    nav: Float64
    rebalances: Indices
    traded: Float64
    counts: dict[str, int] = field(default_factory=dict)

    def net_nav(self, cost_rate: float) -> Float64:
        """(D, G) NAV after `cost_rate` a side on what was traded, paid out of the NAV on the day."""
        kept = np.ones_like(self.nav)
        kept[self.rebalances] = 1.0 - cost_rate * self.traded
        return self.nav * np.cumprod(kept, axis=0)


def hold_equal_weight(marks: Marks, rebalances: Sequence[Formation], portfolios: int, end: int) -> Held:
    """Hold equal-weight portfolios up to row `end`; a holding that can't be sold keeps its drifted weight, the rest is
    spread evenly.

    Parameters
    ----------
    rebalances : of ascending rows < `end`
        each gives every portfolio at least one name.
    """
    counts = {"stuck_positions": 0, "position_days_without_price": 0, "positions_delisted": 0}
    if not rebalances:
        nothing = np.zeros((0, portfolios))
        return Held(np.zeros(0, np.intp), nothing, np.zeros(0, np.intp), nothing, counts)
    first = rebalances[0].row
    level = np.ones(portfolios)
    navs, traded = [level[None]], []
    before = Holdings(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))
    table = np.zeros(portfolios * marks.prices.shape[1])
    for k, now in enumerate(rebalances):
        stop = rebalances[k + 1].row if k + 1 < len(rebalances) else end
        stuck = before.at(~marks.sellable[now.row][before.names])
        after = _spread(stuck, now, portfolios)
        traded.append(_traded(before, after, table, portfolios))
        growth = np.take(marks.prices[now.row + 1 : stop + 1], after.names, axis=1)
        growth *= after.weights / marks.prices[now.row][after.names]
        values = np.array([np.bincount(after.portfolios, day, portfolios) for day in growth])
        navs.append(level * values)
        level = navs[-1][-1]
        _count(counts, marks, now.row, stop, stuck, after)
        before = replace(after, weights=growth[-1] / values[-1][after.portfolios])
    rows = np.arange(first, end + 1)
    positions = np.array([now.row - first for now in rebalances], np.intp)
    return Held(rows, np.concatenate(navs), positions, np.array(traded), counts)


def _spread(stuck: Holdings, now: Formation, portfolios: int) -> Holdings:
    """What is stuck, and the rest of each portfolio over its names in their parts; who can be bought isn't stuck."""
    free = 1.0 - np.bincount(stuck.portfolios, stuck.weights, portfolios)
    parts = np.ones(len(now.names)) if now.parts is None else now.parts
    total = np.bincount(now.portfolios, parts, portfolios)
    unit = free / np.where(total > 0.0, total, 1.0)
    return Holdings(
        np.concatenate([stuck.portfolios, now.portfolios]),
        np.concatenate([stuck.names, now.names]),
        np.concatenate([stuck.weights, unit[now.portfolios] * parts]),
    )


def _traded(before: Holdings, after: Holdings, table: Float64, portfolios: int) -> Float64:
    """Σ|Δw| of each portfolio: (G,). `table` (G · N,) is zero, and zero again."""
    N = len(table) // portfolios
    had, has = (of.portfolios * N + of.names for of in (before, after))
    table[had] = before.weights
    bought = np.abs(after.weights - table[has])
    table[has] = 0.0
    sold = table[had]  # what isn't held any more
    table[had] = 0.0
    return np.asarray(
        np.bincount(after.portfolios, bought, portfolios) + np.bincount(before.portfolios, sold, portfolios)
    )


def _count(counts: dict[str, int], marks: Marks, row: int, stop: int, stuck: Holdings, after: Holdings) -> None:
    held = np.zeros(marks.prices.shape[1], np.bool_)
    held[after.names] = True
    gone = marks.delisted[stop][after.names] & ~marks.delisted[row][after.names]
    counts["stuck_positions"] += len(stuck.names)
    counts["position_days_without_price"] += int(np.count_nonzero(marks.missing[row + 1 : stop + 1] & held))
    counts["positions_delisted"] += int(np.count_nonzero(gone))
