"""Equal-weight portfolios: bought in equal parts, drifting with prices in between; what can't be sold stays.

No lots and no cash: a paper portfolio as the studies' factor tests have it. The backtest does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepfactor.panel.panel import Bools, Floats, Panel
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

    prices: NDArray[np.float64]
    missing: Bools
    enterable: Bools
    sellable: Bools
    delisted: Bools

    @staticmethod
    def of(panel: Panel, universe: Universe, price: PriceField, *, delist_haircut: float) -> Marks:
        """Of a market at its daily `price`; a delisting settles at the last price × (1 − haircut)."""
        raw = adjusted(panel, price)
        missing = ~np.isfinite(raw)
        last = np.maximum.accumulate(np.where(missing, 0, np.arange(len(raw))[:, None]), axis=0)
        prices = np.take_along_axis(raw, last, axis=0)
        delisted = ~universe.listed & np.maximum.accumulate(universe.listed, axis=0) & missing
        prices[delisted] *= 1.0 - delist_haircut
        buy, sell = can_trade(panel, universe, price)
        return Marks(prices, missing, buy & sell, sell | delisted, delisted)


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

    rows: NDArray[np.intp]
    nav: NDArray[np.float64]
    rebalances: NDArray[np.intp]
    traded: NDArray[np.float64]
    counts: dict[str, int] = field(default_factory=dict)

    def net_nav(self, cost_rate: float) -> NDArray[np.float64]:
        """(D, G) NAV after `cost_rate` a side on what was traded, paid out of the NAV on the day."""
        kept = np.ones_like(self.nav)
        kept[self.rebalances] = 1.0 - cost_rate * self.traded
        return self.nav * np.cumprod(kept, axis=0)


def hold_equal_weight(marks: Marks, rebalances: Sequence[tuple[int, Bools]], end: int) -> Held:
    """Hold G equal-weight portfolios up to row `end`.

    Parameters
    ----------
    rebalances : of (row, (G, N) bool)
        ascending rows < `end` on which the portfolios take these names, at that row's price. Each names at least one,
        all of them enterable. A holding that can't be sold keeps its drifted weight; the rest is spread evenly.
    """
    navs: list[NDArray[np.float64]] = []
    traded: list[NDArray[np.float64]] = []
    positions: list[int] = []
    counts = {"stuck_positions": 0, "position_days_without_price": 0, "positions_delisted": 0}
    drifted = np.zeros((0, 0))
    level = np.ones(0)
    for k, (row, members) in enumerate(rebalances):
        if k == 0:
            drifted, level = np.zeros(members.shape), np.ones(len(members))
            navs.append(level[None])
        stop = rebalances[k + 1][0] if k + 1 < len(rebalances) else end
        positions.append(row - rebalances[0][0])
        stuck = np.where(marks.sellable[row], 0.0, drifted)
        weights = _spread(stuck, members)
        traded.append(np.abs(weights - drifted).sum(axis=1))
        held = np.flatnonzero(weights.any(axis=0))
        parts = weights[:, held]
        growth = marks.prices[row + 1 : stop + 1, held] / marks.prices[row, held]
        values = growth @ parts.T
        navs.append(level * values)
        _count(counts, marks, row, stop, stuck, parts, held)
        drifted = np.zeros(members.shape)
        if len(values):
            drifted[:, held] = parts * growth[-1] / values[-1][:, None]
            level = level * values[-1]
    if not rebalances:
        return Held(np.zeros(0, np.intp), np.zeros((0, 0)), np.zeros(0, np.intp), np.zeros((0, 0)), counts)
    rows = np.arange(rebalances[0][0], end + 1)
    return Held(rows, np.concatenate(navs), np.array(positions, np.intp), np.array(traded), counts)


def _spread(stuck: Floats, members: Bools) -> NDArray[np.float64]:
    """Weights (G, N): the stuck ones, and what is left in equal parts over the members that aren't stuck."""
    chosen = members & (stuck == 0)
    free = 1.0 - stuck.sum(axis=1, keepdims=True)
    return np.asarray(stuck + np.where(chosen, free / np.maximum(chosen.sum(axis=1, keepdims=True), 1), 0.0))


def _count(
    counts: dict[str, int], marks: Marks, row: int, stop: int, stuck: Floats, parts: Floats, held: NDArray[np.intp]
) -> None:
    """`parts`: weights of the names `held`."""
    counts["stuck_positions"] += int((stuck > 0).sum())
    counts["position_days_without_price"] += int(marks.missing[row + 1 : stop + 1, held].sum())
    gone = marks.delisted[stop, held] & ~marks.delisted[row, held]
    counts["positions_delisted"] += int((parts[:, gone] > 0).sum())
