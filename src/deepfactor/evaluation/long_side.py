"""What a buyer has of a score: its top group held under a bound on turnover, and how long a pick goes on earning.

A fund doesn't refresh its picks every week. Held under a bound, each week's trade goes a part of the way from the
weights as they have drifted to the new top group, the same part for every name, so that nothing depends on an order
among names (Gârleanu and Pedersen 2013: trade partially towards the aim).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float64, Ints
from deepfactor.evaluation.definitions import TRADING_DAYS, Definitions
from deepfactor.evaluation.holding import Formation, Marks, hold_equal_weight
from deepfactor.evaluation.membership import best, decides
from deepfactor.evaluation.performance import annual_excess, excess_by_year
from deepfactor.evaluation.records import DecayWeek, HeldTop, LongSideRecord
from deepfactor.evaluation.statistics import mean_of, newey_west_t
from deepfactor.evaluation.window import Window

#: Trading days of a week, which is also the lags of t of daily returns.
WEEK = 5
#: Lags of t of weekly returns: picks of neighbouring weeks are mostly the same names.
_WEEKS = 4


@dataclass(frozen=True)
class Followed:
    """A top group that was held.

    Attributes
    ----------
    dates : (D,)
        from the first trade on; empty where there was none.
    gross, net, benchmark_nav : (D,) float64
        before and after cost; the universe's enterable names, equal weight, every week, before cost.
    turnover : (R − 1,) float64
        one-sided, of the trades after the purchase.
    """

    dates: Dates
    gross: Float64
    net: Float64
    benchmark_nav: Float64
    turnover: Float64

    def record(self, definitions: Definitions) -> HeldTop:
        """Excess a year and by calendar year, turnover a week, t of the daily log excess after cost."""
        if len(self.dates) < 2:
            return {"gross": None, "net": None, "t_newey_west": None, "turnover_one_sided": None, "by_year": {}}
        curves = {"gross": self.gross, "net": self.net}
        years = {name: excess_by_year(nav, self.benchmark_nav, self.dates, definitions) for name, nav in curves.items()}
        daily = np.diff(np.log(self.net / self.benchmark_nav))
        return {
            "gross": annual_excess(self.gross, self.benchmark_nav, self.dates, definitions),
            "net": annual_excess(self.net, self.benchmark_nav, self.dates, definitions),
            "t_newey_west": newey_west_t(daily, WEEK),
            "turnover_one_sided": mean_of(self.turnover),
            "by_year": {str(y): {"gross": years["gross"][y], "net": years["net"][y]} for y in years["gross"]},
        }


@dataclass(frozen=True)
class LongSide:
    """The long side of a score in one universe.

    Attributes
    ----------
    universe : str
    part : the top group is one name in so many
    bound : one-sided turnover a week of `held`; `refreshed` has none
    cost_rate : a side
    weeks : (signals, K) float64
        excess of the picks in week k after the trade over the universe's mean; NaN where the market ends before.
    """

    universe: str
    part: int
    bound: float
    cost_rate: float
    definitions: Definitions
    held: Followed
    refreshed: Followed
    weeks: Float64

    def record(self) -> LongSideRecord:
        """As in `factor_report.json`; NaN = not defined."""
        return {
            "universe": self.universe,
            "part": self.part,
            "bound": self.bound,
            "cost_rate": self.cost_rate,
            "definitions": self.definitions.record(),
            "held": self.held.record(self.definitions),
            "refreshed": self.refreshed.record(self.definitions),
            "decay": [_decayed(k + 1, series) for k, series in enumerate(self.weeks.T)],
        }


def _decayed(week: int, series: Float64) -> DecayWeek:
    """Mean of the signals that have that week, a year."""
    return {
        "week": week,
        "excess": mean_of(series) * TRADING_DAYS / WEEK,
        "t_newey_west": newey_west_t(series, _WEEKS),
        "n": int(np.isfinite(series).sum()),
    }


def long_side(
    window: Window,
    universe: str,
    marks: Marks,
    part: int,
    bound: float,
    weeks: int,
    cost_rate: float,
    definitions: Definitions,
) -> LongSide:
    """The top 1/`part` of a universe by the score, weekly from the week's end to the next week's first close.

    Parameters
    ----------
    marks : of the window, at the close
    bound : most that is bought (and sold) at a rebalance, as a fraction of the portfolio; the purchase is free of it
    weeks : weeks after the trade whose excess is shown, of five trading days each; the last signals may lack some
    """
    names = window.names(universe)
    there = np.flatnonzero(names.any(axis=1))
    last = int(there[-1]) if len(there) else 0
    aims: list[Formation] = []
    everyone: list[Formation] = []
    for signal in np.flatnonzero(window.universe.week_ends()[: len(names)]).tolist():
        trade = signal + 1
        if trade >= last:
            break
        enterable = names[signal] & marks.enterable[trade]
        score = np.where(enterable, window.scores[signal], np.nan)
        n = int(np.isfinite(score).sum())
        if n < part or not decides(score):
            continue
        members = best(score, [max(1, n // part)], window.orders[signal])
        aims.append(Formation(trade, members.portfolios, members.names, parts=members.shares))
        everyone.append(Formation(trade, *np.nonzero(enterable[None])))
    benchmark = hold_equal_weight(marks, everyone, 1, last).nav[:, 0] if aims else np.zeros(0)
    held, refreshed = (_follow(window, marks, aims, benchmark, most, cost_rate, last) for most in (bound, 1.0))
    series = _weekly_excess(marks, aims, everyone, weeks)
    return LongSide(universe, part, bound, cost_rate, definitions, held, refreshed, series)


def _follow(
    window: Window,
    marks: Marks,
    aims: Sequence[Formation],
    benchmark: Float64,
    most: float,
    cost_rate: float,
    last: int,
) -> Followed:
    """Hold the aims up to row `last`, trading at most `most` one-sided at each but the first."""
    if not aims:
        nothing = np.zeros(0)
        return Followed(window.dates[:0], nothing, nothing, nothing, nothing)
    weights = np.zeros(marks.prices.shape[1])
    level, kept = 1.0, 1.0
    gross, net, turnover = [np.ones(1)], [np.ones(1)], []
    for k, aim in enumerate(aims):
        stop = aims[k + 1].row if k + 1 < len(aims) else last
        target = _weights(aim, len(weights))
        after = _towards(weights, target, marks.sellable[aim.row], most) if k else target
        traded = float(np.abs(after - weights).sum())
        turnover.append(traded / 2)
        kept *= 1.0 - cost_rate * traded  # paid out of the NAV on the day of the trade
        net[-1][-1] = gross[-1][-1] * kept
        held = np.flatnonzero(after)
        growth = marks.prices[aim.row + 1 : stop + 1, held] / marks.prices[aim.row, held] * after[held]
        value = growth.sum(axis=1)
        gross.append(level * value)
        net.append(level * value * kept)
        level *= float(value[-1])
        weights = np.zeros_like(weights)
        weights[held] = growth[-1] / value[-1]
    dates = window.dates[aims[0].row : last + 1]
    return Followed(dates, np.concatenate(gross), np.concatenate(net), benchmark, np.array(turnover[1:]))


def _weights(aim: Formation, names: int) -> Float64:
    """Equal weights of a formation's names (N,), those that are shared by their part."""
    parts = np.ones(len(aim.names)) if aim.parts is None else aim.parts
    weights = np.zeros(names)
    weights[aim.names] = parts / parts.sum()
    return weights


def _towards(weights: Float64, target: Float64, sellable: Bools, most: float) -> Float64:
    """The same part of the way to the `target` for every name that can be traded, at most `most` one-sided."""
    change = target - weights
    sell = np.where((change < 0) & sellable, -change, 0.0)
    buy = np.where(change > 0, change, 0.0)
    sold, wanted = float(sell.sum()), float(buy.sum())
    if sold <= 0.0 or wanted <= 0.0:
        return weights
    part = min(1.0, most / sold)
    return np.asarray(weights - part * sell + (part * sold / wanted) * buy)


def _weekly_excess(marks: Marks, aims: Sequence[Formation], everyone: Sequence[Formation], weeks: int) -> Float64:
    """(signals, weeks) mean return of the picks less that of everybody in each week after the trade; NaN beyond."""
    out = np.full((len(aims), weeks), np.nan)
    rows: Ints = np.arange(weeks + 1) * WEEK
    for k, (aim, all_of_them) in enumerate(zip(aims, everyone, strict=True)):
        at = aim.row + rows
        at = at[at < len(marks.prices)]
        if len(at) < 2:
            continue
        own, other = (_returns(marks, at, one) for one in (aim, all_of_them))
        out[k, : len(at) - 1] = own - other
    return out


def _returns(marks: Marks, at: Ints, of: Formation) -> Float64:
    """Mean return of a formation's names between neighbouring rows `at`, in their parts."""
    price = marks.prices[at][:, of.names]
    parts = np.ones(len(of.names)) if of.parts is None else of.parts
    return np.asarray((price[1:] / price[:-1] - 1.0) @ parts / parts.sum())
