"""The market's indices: size-ranked, re-set in June and December, weighted by float cap; price and total return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Ints
from deepfactor.sources._simulation.calendar import Clock
from deepfactor.sources._simulation.market import History

#: Code → number of members, and the divisor of `stocks` that gives fewer in a small market. Largest firms first, one
#: index after another.
RANKED = {"000300.SH": (300, 6), "000905.SH": (500, 4), "000852.SH": (1000, 5)}

#: All listed firms that are not under ST.
ALL_SHARE = "000985.SH"

#: Days whose mean market value ranks the firms.
RANKING_DAYS = 120

#: Level of every index on the first day.
BASE = 1000.0


@dataclass(frozen=True)
class Index:
    """One index over T days.

    Attributes
    ----------
    members : (T, N) bool
    weights : (T, N) float64
        at each day's close; rows sum to 1.
    close, total_return_close : (T,) float64
        levels. The price index takes splits in and leaves dividends out; total return has both.
    """

    members: Bools
    weights: Float64
    close: Float64
    total_return_close: Float64


def reset_days(clock: Clock) -> Bools:
    """(T,) the first day, and the trading day after the second Friday of each June and December."""
    days = clock.published
    months = np.unique(days.astype("datetime64[M]"))
    months = months[np.isin(months.astype(np.int64) % 12, (5, 11))]
    fridays = np.busday_offset(months.astype("datetime64[D]"), 1, roll="forward", weekmask="Fri")
    rows = np.searchsorted(days, fridays, side="right")
    reset = np.zeros(len(days), bool)
    reset[0] = True
    reset[rows[rows < len(days)]] = True
    return reset


def weight_days(members: Bools, clock: Clock) -> Bools:
    """(T,) days for which an index's weights are published: resets, month ends, and days after a member's delisting."""
    changed = np.zeros(len(members), bool)
    changed[1:] = (members[1:] != members[:-1]).any(axis=1)
    following = clock.days[clock.start + 1 : clock.stop + 1].astype("datetime64[M]")
    month_end: Bools = clock.published.astype("datetime64[M]") != following
    return reset_days(clock) | month_end | changed


def make_indices(history: History, clock: Clock) -> dict[str, Index]:
    """All indices of a market. Membership of a day follows from the previous close (the first day's from its own)."""
    alive = history.days.alive
    total_cap, float_cap = history.total_cap, history.float_cap
    members = {code: np.zeros(alive.shape, bool) for code in (*RANKED, ALL_SHARE)}
    reset = reset_days(clock)
    chosen: dict[str, Ints] = {}
    for t in range(len(alive)):
        if reset[t]:
            known = max(t - 1, 0)
            first = max(known + 1 - RANKING_DAYS, 0)
            cap = np.where(alive[first : known + 1], total_cap[first : known + 1], 0.0).mean(axis=0)
            chosen = _choose(np.where(alive[known] & ~history.st[known], cap, 0.0))
        for code, stocks in chosen.items():
            members[code][t, stocks] = alive[t, stocks]
    price, total = _returns(history, total_cap)
    return {code: _index(mask, float_cap, price, total) for code, mask in members.items()}


def _choose(cap: Float64) -> dict[str, Ints]:
    """Members of each index from ranking values (0 = not eligible)."""
    order = np.argsort(-cap, kind="stable")
    order = order[cap[order] > 0]
    chosen, first = {}, 0
    for code, (most, divisor) in RANKED.items():
        count = min(most, len(cap) // divisor)
        chosen[code] = order[first : first + count]
        first += count
    chosen[ALL_SHARE] = np.sort(order)
    return chosen


def _returns(history: History, total_cap: Float64) -> tuple[Float64, Float64]:
    """Day's (price, total) return of each stock listed on both days, (T, N); 0 elsewhere."""
    days = history.days
    price, total = np.zeros(total_cap.shape), np.zeros(total_cap.shape)
    both = days.alive[1:] & days.alive[:-1]
    # Shares change by splits alone, so market value grows by the price return with splits taken in.
    price[1:] = np.where(both, total_cap[1:] / total_cap[:-1] - 1.0, 0.0)
    total[1:] = np.where(both, days.close[1:] / days.reference[1:] - 1.0, 0.0)
    return price, total


def _index(members: Bools, float_cap: Float64, price: Float64, total: Float64) -> Index:
    held = np.where(members, float_cap, 0.0)
    before = np.where(members[1:], float_cap[:-1], 0.0)
    before /= before.sum(axis=1, keepdims=True)
    levels = []
    for returns in (price, total):
        growth = 1.0 + (before * returns[1:]).sum(axis=1)
        levels.append(BASE * np.concatenate([[1.0], np.cumprod(growth)]))
    return Index(members, held / held.sum(axis=1, keepdims=True), levels[0], levels[1])


def intervals(held: Bools) -> tuple[Ints, Ints, Ints]:
    """(column, first row, last row) of each run of True in `held` (T, N), by column and then by row."""
    padded = np.zeros((held.shape[0] + 2, held.shape[1]), np.int8)
    padded[1:-1] = held
    change = np.diff(padded, axis=0).T
    column, first = np.nonzero(change == 1)
    _, beyond = np.nonzero(change == -1)
    return column, first, beyond - 1
