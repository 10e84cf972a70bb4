"""Group test: names in equal-sized groups by score, rebalanced weekly; group 0 has the lowest scores, the last the top.

Signal at the week's end, traded at the next week's first close. Names that don't trade there, or sit at a limit, are in
no group; names that can't be sold stay held. Equal weight at assignment, then drifting until the next. Equal scores
across an edge between groups are shared (`membership`); a day on which all scores are equal forms no groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from deepfactor.core.arrays import Dates, Float64, Floats
from deepfactor.evaluation.definitions import Definitions
from deepfactor.evaluation.holding import Formation, Held, Marks, hold_equal_weight
from deepfactor.evaluation.membership import Members, assign_groups, decides
from deepfactor.evaluation.performance import (
    annual_excess,
    annualised_return,
    by_calendar_year,
    daily_returns,
    excess_by_year,
    max_drawdown,
    sharpe_ratio,
)
from deepfactor.evaluation.records import DefinitionsRecord, Excess, ExcessYear, GroupRecord, GroupYear
from deepfactor.evaluation.statistics import mean_of, share, years_of
from deepfactor.evaluation.window import Window

#: Names of the benchmarks that are formed from the universe itself.
EQUAL_WEIGHT, CAP_WEIGHT = "equal_weight", "cap_weight"


class _Named(TypedDict):
    """What a record says whether there are groups or not."""

    universe: str
    n: int
    benchmark: str
    definitions: DefinitionsRecord
    reason: str | None
    edges_in_ties: float
    names_shared: float


@dataclass(frozen=True)
class GroupTest:
    """Groups of one universe.

    Attributes
    ----------
    universe : str
    benchmark : str
        the index that the top group is compared with (price level, without dividends), or ``equal_weight`` (the
        universe's enterable names, equal weight at each rebalance).
    dates : (D,)
        from the first trade on; empty where there was none.
    nav : (D, G) float64
        of each group, before cost, 1 at the first trade.
    benchmark_nav : (D,) float64
    cap_weight_nav : (D,) float64 or None
        beside ``equal_weight``, the universe weighted by market value: derived, with dividends, the same names and days
        of trade; None where the index's level is there, or the market has no market value.
    cap : str or None
        the panel's field of market values.
    rebalances : (R − 1,)
        days of the rebalances after the first.
    turnover : (R − 1,) float64
        top group's one-sided turnover at each of them.
    counts : count a reason
    edges_in_ties, names_shared : share of the edges between groups that lie within equal scores, and of the names that
        belong to more than one group, over all rebalances; NaN where there was none
    """

    universe: str
    benchmark: str
    dates: Dates
    nav: Float64
    benchmark_nav: Float64
    cap_weight_nav: Float64 | None
    cap: str | None
    rebalances: Dates
    turnover: Float64
    definitions: Definitions
    counts: dict[str, int]
    edges_in_ties: float
    names_shared: float

    @property
    def reason(self) -> str | None:
        """Why there are no groups: what kept most of the rebalances from being made; None where there are."""
        if len(self.dates):
            return None
        why = ("equal_scores", "too_few_names")
        counted = {reason: self.counts[f"rebalances_with_{reason}"] for reason in why}
        return max(counted, key=lambda reason: counted[reason]) if any(counted.values()) else "no_trade_in_span"

    def record(self) -> GroupRecord:
        """As in `factor_report.json`, NaN = not defined."""
        n = self.nav.shape[1]
        named: _Named = {
            "universe": self.universe,
            "n": n,
            "benchmark": self.benchmark,
            "definitions": self.definitions.record(),
            "reason": self.reason,
            "edges_in_ties": self.edges_in_ties,
            "names_shared": self.names_shared,
        }
        if len(self.dates) == 0:
            return {**named, "annual_return": [np.nan] * n, "top": None, "by_year": {}, "also": {}}
        annual = annualised_return(self.nav, self.dates, self.definitions)
        top, bench = self.nav[:, -1], self.benchmark_nav
        also = {} if self.cap_weight_nav is None else {CAP_WEIGHT: self.cap_weight_nav}
        return {
            **named,
            "annual_return": annual.tolist(),
            "top": {
                "annual_return": float(annual[-1]),
                "sharpe": sharpe_ratio(daily_returns(top)),
                "max_drawdown": max_drawdown(top),
                "turnover_one_sided": float(self.turnover.mean()) if len(self.turnover) else np.nan,
                **self._excess(top, bench),
            },
            "by_year": self._by_year(top, bench),
            "also": {
                name: {"weighted_by": self.cap, **self._excess(top, nav), "by_year": self._excess_by_year(top, nav)}
                for name, nav in also.items()
            },
        }

    def _excess(self, top: Floats, bench: Floats) -> Excess:
        """Against one benchmark over the span: ``annual_excess`` by the definition, and by name in both forms."""
        difference = self.definitions.model_copy(update={"annual_excess": "difference"})
        ratio = self.definitions.model_copy(update={"annual_excess": "ratio"})
        return {
            "annual_excess": annual_excess(top, bench, self.dates, self.definitions),
            "annual_excess_difference": annual_excess(top, bench, self.dates, difference),
            "annual_excess_nav_ratio": annual_excess(top, bench, self.dates, ratio),
            "excess_sharpe": sharpe_ratio(daily_returns(top) - daily_returns(bench)),
            "excess_max_drawdown": max_drawdown(top / bench),
        }

    def _excess_by_year(self, top: Floats, bench: Floats) -> dict[str, ExcessYear]:
        """Against one benchmark in each year, none annualised but the Sharpe ratio of daily excess."""
        own, other = by_calendar_year(top, self.dates), by_calendar_year(bench, self.dates)
        excess = excess_by_year(top, bench, self.dates, self.definitions)
        return {
            str(year): {
                "excess": excess[year],
                "excess_sharpe": sharpe_ratio(daily_returns(own[year]) - daily_returns(other[year])),
                "excess_max_drawdown": max_drawdown(own[year] / other[year]),
            }
            for year in own
        }

    def _by_year(self, top: Floats, bench: Floats) -> dict[str, GroupYear]:
        """A year's numbers, none annualised but the Sharpe ratios of daily returns and of daily excess."""
        own, years = by_calendar_year(top, self.dates), years_of(self.rebalances)
        excess = self._excess_by_year(top, bench)
        return {
            str(year): {
                "return": float(own[year][-1] - 1.0),
                "sharpe": sharpe_ratio(daily_returns(own[year])),
                **excess[str(year)],
                "max_drawdown": max_drawdown(own[year]),
                "turnover_one_sided": mean_of(self.turnover[years == year]),
                "days": len(own[year]) - 1,
            }
            for year in own
        }


def weekly_groups(
    window: Window, universe: str, marks: Marks, n: int, index: str, definitions: Definitions
) -> GroupTest:
    """Weekly groups over a universe.

    Parameters
    ----------
    marks : of the window, at the close
    n : number of groups
    index : benchmark of the top group, where the market has its level on every day; else the universe's equal weight,
        and beside it the universe weighted by market value
    """
    names = window.names(universe)
    signals = np.flatnonzero(window.universe.week_ends()[: len(names)])
    there = np.flatnonzero(names.any(axis=1))
    last = int(there[-1]) if len(there) else 0  # an index may end before the scores do: nobody rebalances after it
    counts = {"signals_without_trade_in_span": int((signals + 1 >= last).sum()), "rebalances_with_too_few_names": 0,
              "rebalances_with_equal_scores": 0, "days_after_its_last_name": len(names) - 1 - last}  # fmt: skip
    assigned: list[Members] = []
    groups: list[Formation] = []
    everyone: list[Formation] = []
    for signal in signals[signals + 1 < last]:
        trade = int(signal) + 1
        enterable = names[signal] & marks.enterable[trade]
        score = np.where(enterable, window.scores[signal], np.nan)
        if np.isfinite(score).sum() < n:
            counts["rebalances_with_too_few_names"] += 1
            continue
        if not decides(score):
            counts["rebalances_with_equal_scores"] += 1
            continue
        assigned.append(members := assign_groups(score, n, window.orders[signal]))
        groups.append(Formation(trade, members.portfolios, members.names, parts=members.shares))
        everyone.append(Formation(trade, *np.nonzero(enterable[None])))
    held = hold_equal_weight(marks, groups, n, last)
    benchmark, level = _benchmark(window, index, held, lambda: hold_equal_weight(marks, everyone, 1, last))
    by_cap = None
    if benchmark == EQUAL_WEIGHT and (weighted := _by_market_value(window, everyone)) is not None:
        by_cap = hold_equal_weight(marks, weighted, 1, last).nav[:, 0]
        counts["cap_weight_without_market_value"] = _names(everyone) - _names(weighted)
    return GroupTest(
        universe=universe,
        benchmark=benchmark,
        dates=window.dates[held.rows],
        nav=held.nav if groups else np.zeros((0, n)),
        benchmark_nav=level,
        cap_weight_nav=by_cap,
        cap=window.cap,
        rebalances=window.dates[[one.row for one in groups[1:]]],
        turnover=0.5 * held.traded[1:, -1] if groups else np.zeros(0),
        definitions=definitions,
        counts=counts | held.counts,
        edges_in_ties=share(sum(int(one.cut.sum()) for one in assigned), sum(len(one.cut) for one in assigned)),
        names_shared=share(sum(one.shared for one in assigned), sum(one.scored for one in assigned)),
    )


def _benchmark(window: Window, index: str, held: Held, everyone: Callable[[], Held]) -> tuple[str, Float64]:
    """Name and NAV over the days of `held`; `everyone` is followed only where the index has no level."""
    level = window.universe.index_close.get(index)
    if level is not None and len(held.rows) and np.isfinite(level[held.rows]).all():
        return index, np.asarray(level[held.rows] / level[held.rows[0]], dtype=np.float64)
    return EQUAL_WEIGHT, everyone().nav[:, 0] if len(held.rows) else np.zeros(0)


def _by_market_value(window: Window, equal: Sequence[Formation]) -> list[Formation] | None:
    """The same rebalances with the names in parts of their market value at the signal's close, the day before; names
    without one are left out. None where that leaves a rebalance without names, or there is none."""
    if window.cap is None or not equal:
        return None
    formations = []
    for one in equal:
        cap = window.panel[window.cap][one.row - 1][one.names].astype(np.float64)
        known = cap > 0.0
        if not known.any():
            return None
        formations.append(Formation(one.row, one.portfolios[known], one.names[known], parts=cap[known]))
    return formations


def _names(rebalances: Sequence[Formation]) -> int:
    return sum(len(one.names) for one in rebalances)
