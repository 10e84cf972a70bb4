"""Top portfolios: the best tenth and the best hundred, equal weight, every so many days, before and after cost.

Equal scores at the edge of a portfolio are shared (`membership`); a day on which all scores are equal makes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float64
from deepfactor.evaluation.definitions import Definitions
from deepfactor.evaluation.holding import Formation, Marks, hold_equal_weight
from deepfactor.evaluation.membership import best, decides
from deepfactor.evaluation.performance import annual_excess, annualised_return, excess_by_year, span_in_years
from deepfactor.evaluation.records import OffsetExcess, Offsets, TopRecord, TopYear
from deepfactor.evaluation.statistics import every, share
from deepfactor.evaluation.window import Window
from deepfactor.panel.returns import Convention, entry

TopName = Literal["top10pct", "top100"]


@dataclass(frozen=True)
class TopTest:
    """A top portfolio.

    Attributes
    ----------
    name : "top10pct" or "top100"
    every : days between rebalances
    convention : when and at which price it trades; it is valued at the same price daily
    dates : (D,)
        from the first trade on; empty where there was none.
    gross, net : (D,) float64
        NAV before and after cost.
    benchmark_nav : (D,) float64
        the universe's enterable names, equal weight, rebalanced on the same days, before cost.
    traded : (R,) float64
        buys plus sells of each rebalance as a share of the NAV; the first is the purchase.
    counts : count a reason
    edges_in_ties : share of the rebalances at which equal scores straddle the portfolio's edge; NaN without any
    offsets : the same portfolio started on each of the first `every` scored days, this one first; empty if not asked
    """

    name: TopName
    every: int
    convention: Convention
    dates: Dates
    gross: Float64
    net: Float64
    benchmark_nav: Float64
    traded: Float64
    definitions: Definitions
    counts: dict[str, int]
    edges_in_ties: float
    offsets: tuple[TopTest, ...] = ()

    @property
    def reason(self) -> str | None:
        """Why there is no portfolio; None where there is one."""
        if len(self.dates):
            return None
        equal, without = (self.counts[f"rebalances_{what}"] for what in ("with_equal_scores", "without_names"))
        return "no_trade_in_span" if not equal + without else "equal_scores" if equal >= without else "too_few_names"

    def annual(self) -> dict[str, tuple[float, float]]:
        """Return a year, and excess a year by the definition, of ``gross`` and ``net``; NaN where nothing was held."""
        curves = {"gross": self.gross, "net": self.net}
        if len(self.dates) == 0:
            return dict.fromkeys(curves, (np.nan, np.nan))
        return {
            name: (
                float(annualised_return(nav, self.dates, self.definitions)),
                annual_excess(nav, self.benchmark_nav, self.dates, self.definitions),
            )
            for name, nav in curves.items()
        }

    def record(self) -> TopRecord:
        """As in `factor_report.json`: excess a year before and after cost by the ``definitions``, turnover a year (the
        first purchase left out, though its cost is paid); NaN = not defined."""
        annual, turnover = self.annual(), np.nan
        years: dict[str, TopYear] = {}
        if len(self.dates):
            gross = excess_by_year(self.gross, self.benchmark_nav, self.dates, self.definitions)
            net = excess_by_year(self.net, self.benchmark_nav, self.dates, self.definitions)
            years = {str(year): {"gross": gross[year], "net": net[year]} for year in gross}
        if len(self.traded) > 1:
            turnover = float(self.traded[1:].sum()) / span_in_years(self.dates, self.definitions)
        return {
            "name": self.name,
            "every": self.every,
            "convention": self.convention,
            "definitions": self.definitions.record(),
            "reason": self.reason,
            "edges_in_ties": self.edges_in_ties,
            "gross": annual["gross"][1],
            "net": annual["net"][1],
            "turnover_two_sided": turnover,
            "by_year": years,
            "offsets": self._over_offsets(),
        }

    def _over_offsets(self) -> Offsets | None:
        """Mean over the starts of the return and excess a year, and the least and largest excess."""
        held = [annual for annual in (one.annual() for one in self.offsets) if np.isfinite(annual["gross"][0])]
        if not held:
            return None

        def over(name: str) -> OffsetExcess:
            excess = [annual[name][1] for annual in held]
            return {
                "annual_return": float(np.mean([annual[name][0] for annual in held])),
                "annual_excess": float(np.mean(excess)),
                "min_excess": min(excess),
                "max_excess": max(excess),
            }

        return {"n": len(held), "gross": over("gross"), "net": over("net")}


def top_portfolios(
    window: Window,
    names: Bools,
    marks: Marks,
    convention: Convention,
    step: int,
    tops: tuple[TopName, ...],
    cost_rate: float,
    definitions: Definitions,
    *,
    offset: int = 0,
) -> list[TopTest]:
    """The portfolios `tops` over `names` (S, M), rebalanced every `step` days from the scored day number `offset` on;
    `marks` at the convention's price."""
    delay, _ = entry(convention)
    scored = window.scored_rows()[offset:]
    signals = scored[every(scored, step)]
    last = len(window.scores) - 1
    counts = {
        "signals_without_trade_in_span": int((signals + delay >= last).sum()),
        "rebalances_without_names": 0,
        "rebalances_with_equal_scores": 0,
        "rebalances_with_fewer_than_100_names": 0,
    }
    cut = np.zeros(len(tops), np.intp)
    chosen: list[Formation] = []
    everyone: list[Formation] = []
    for signal in signals[signals + delay < last]:
        trade = int(signal) + delay
        enterable = names[signal] & marks.enterable[trade]
        score = np.where(enterable, window.scores[signal], np.nan)
        n = int(np.isfinite(score).sum())
        counts["rebalances_without_names"] += n == 0
        counts["rebalances_with_fewer_than_100_names"] += 0 < n < 100
        if not decides(score):
            counts["rebalances_with_equal_scores"] += n > 0
            continue
        members = best(score, [portfolio_size(top, n) for top in tops], window.orders[signal])
        cut += members.cut
        chosen.append(Formation(trade, members.portfolios, members.names, parts=members.shares))
        everyone.append(Formation(trade, *np.nonzero(enterable[None])))
    held = hold_equal_weight(marks, chosen, len(tops), last)
    benchmark = hold_equal_weight(marks, everyone, 1, last)
    net = held.net_nav(cost_rate)
    return [
        TopTest(
            name=top,
            every=step,
            convention=convention,
            dates=window.dates[held.rows],
            gross=held.nav[:, k] if chosen else np.zeros(0),
            net=net[:, k] if chosen else np.zeros(0),
            benchmark_nav=benchmark.nav[:, 0] if chosen else np.zeros(0),
            traded=held.traded[:, k] if chosen else np.zeros(0),
            definitions=definitions,
            counts=counts | held.counts,
            edges_in_ties=share(int(cut[k]), len(chosen)),
        )
        for k, top in enumerate(tops)
    ]


def portfolio_size(top: TopName, n: int) -> int:
    """Names of a top portfolio out of n: a tenth, rounded down, at least one; or 100, or all if there are fewer."""
    return max(1, n // 10) if top == "top10pct" else min(100, n)
