"""Where the active return of each day came from: styles, industries, selection, cost, cash and rounding.

Active is against the replica, the benchmark weights that the optimiser saw. With w the drifted weights of the close
before, b the replica's and c the cash,

    book − replica = Σ a·r − c·replica + fills − cost + rounding,   a = w − (1 − c)·b,   Σ a = 0,

and each stock's return r is split by the day's factor returns (`factor_returns`) on the exposures of the close before:
Σ a·r = Σ styles (a·x)·f + Σ industries (a·d)·f + Σ a·e. Delisted holdings and names of the benchmark return −haircut.
**fills** is what traded shares made between their fill and the close; it counts as selection. **rounding** is what is
left: fen. Contributions of a day add to its active return; scaled by ln's chord (Carino, 1999) they add over days to
the log of the excess NAV, over any span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.days import days, last_close
from deepfactor.backtest.explaining import Close, explain, factor_names, stock_returns
from deepfactor.backtest.result import BacktestResult
from deepfactor.backtest.signals import benchmark_row
from deepfactor.core.arrays import AnyArray, Bools, Dates, Float64
from deepfactor.core.words import Sentence
from deepfactor.evaluation.statistics import years_of
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles.base import StylesByDay

METHOD = Sentence(
    "against the replica; daily cross-sectional regression on industries and styles, weights sqrt(market value); "
    "parts are log returns (Carino), which add over days and years to ln of the excess NAV",
    "相对复制指数；逐日截面对行业与风格回归，以市值平方根加权；"
    "各部分为对数收益（Carino方法），按日、按年可加，合计为超额净值的对数",
)
PARTS = ("style", "industry", "selection", "cost", "cash_and_rounding")
#: Contributions that every day has, beside those that the factors explain: (part, name).
_OTHERS = (
    ("selection", "fills"), ("cost", "cost"), ("cash_and_rounding", "cash"), ("cash_and_rounding", "rounding"),
)  # fmt: skip


@dataclass(frozen=True)
class Attribution:
    """Contributions of M sources to the active return of each day (D, the first has none).

    Attributes
    ----------
    dates : (D,)
    sources : M pairs of part (see `PARTS`) and name
    contribution : (D, M)
        of the day; adds to `active`.
    active : (D,)
        return of the book less that of the replica.
    scale : (D,)
        makes a day's contributions log returns: Σ contribution × scale = ln of the day's growth of the excess NAV.
    styles : K names
    exposures : (D, K)
        active exposures at the close.
    groups : G industries, that of unknown ones last
    industries : (D, G)
        active weights at the close.
    """

    dates: Dates
    sources: tuple[tuple[str, str], ...]
    contribution: Float64
    active: Float64
    scale: Float64
    styles: tuple[str, ...]
    exposures: Float64
    groups: tuple[str, ...]
    industries: Float64

    def leanings(self, dates: Dates) -> dict[str, AnyArray]:
        """Long form of some days' closes: date, part ("style" or "industry"), name, active (exposure, or weight).

        Industries of which neither the book nor the replica holds anything are left out.
        """
        rows = np.flatnonzero(np.isin(self.dates, dates))
        names = np.array([*self.styles, *self.groups])
        parts = np.repeat(["style", "industry"], [len(self.styles), len(self.groups)])
        active = np.concatenate((self.exposures[rows], self.industries[rows]), axis=1)
        day, of = np.nonzero((active != 0) | (parts == "style"))
        return {"date": self.dates[rows][day], "part": parts[of], "name": names[of], "active": active[day, of]}

    def columns(self) -> dict[str, AnyArray]:
        """Long form without zeros: date, part, name, contribution (of the day), log_contribution (adds over days)."""
        day, source = np.nonzero(self.contribution)
        value = self.contribution[day, source]
        return {
            "date": self.dates[day],
            "part": np.array([part for part, _ in self.sources])[source],
            "name": np.array([name for _, name in self.sources])[source],
            "contribution": value,
            "log_contribution": value * self.scale[day],
        }

    def totals(self, days: Bools | None = None) -> dict[str, object]:
        """Log contributions over some days (D,) by part, styles and industries by name; they add to ``active``."""
        linked = self.contribution * self.scale[:, None]
        total = (linked if days is None else linked[days]).sum(axis=0).tolist()

        def of(part: str) -> dict[str, float]:
            return {name: x for (own, name), x in zip(self.sources, total, strict=True) if own == part}

        industries = {name: x for name, x in of("industry").items() if x != 0}
        sums = {part: sum(of(part).values()) for part in ("selection", "cost", "cash_and_rounding")}
        return {"styles": of("style"), "industries": industries, **sums, "active": sum(total)}

    def summary(self) -> dict[str, object]:
        """``all`` and ``by_year``, each as `totals`."""
        years = years_of(self.dates)
        by_year = {str(year): self.totals(years == year) for year in np.unique(years[1:])}
        return {"all": self.totals(), "by_year": by_year}


def attribute(
    result: BacktestResult, panel: Panel, universe: Universe, styles: StylesByDay, haircut: float
) -> Attribution:
    """Attribute a backtest's active return; `styles` and `haircut` as the backtest had them.

    Raises
    ------
    RuntimeError
        the holdings replayed from the trades are not worth the NAV: a fault of ours.
    """
    first = int(np.searchsorted(panel.dates, result.dates[0]))
    rows = range(first, first + len(result.dates))
    names = factor_names(styles, universe)
    book, replica = _returns(result.nav), _returns(result.replica_nav)
    contribution, exposures = np.zeros((len(rows), len(names) + len(_OTHERS))), np.zeros((len(rows), len(styles)))
    groups = tuple(name for part, name in names if part == "industry")
    industries = np.zeros((len(rows), len(groups)))
    before: Close | None = None
    for k, (close, fills) in enumerate(_closes(result, panel, universe, rows, haircut)):
        close.lean(universe, styles)
        exposures[k] = (close.exposures * close.active).sum(axis=1)
        industries[k] = np.bincount(close.group, close.active, len(groups))
        if before is not None:
            contribution[k, : len(names)] = explain(before, close, panel, universe, styles)
            contribution[k, len(names)] = fills
            contribution[k, -2] = -(1.0 - before.invested) * replica[k]
        before = close
    contribution[1:, -3] = -result.cost[1:] / (result.capital * result.nav[:-1])
    active_return = book - replica
    contribution[:, -1] = active_return - contribution[:, :-1].sum(axis=1)
    sources, scale = (*names, *_OTHERS), _scale(book, replica)
    return Attribution(
        result.dates, sources, contribution, active_return, scale, tuple(styles), exposures, groups, industries
    )


def _closes(
    result: BacktestResult, panel: Panel, universe: Universe, rows: range, haircut: float
) -> Iterator[tuple[Close, float]]:
    """The book of each day, and what its fills made, replayed from its trades: shares × ratio + bought − sold."""
    shares, last = np.zeros(panel.shape[1]), np.full(panel.shape[1], np.nan)
    if rows.start > 0:
        last = last_close(panel, rows.start - 1)
    trades = result.trades
    column = np.searchsorted(panel.symbols, trades.symbol)
    signed = np.where(trades.side == "buy", trades.shares, -trades.shares)
    edges = np.searchsorted(trades.date, np.append(result.dates, result.dates[-1] + 1))
    value = result.capital
    for k, day in enumerate(days(panel, universe, rows, "close")):
        shares, reference = shares * day.ratio, last / day.ratio
        last = np.where(np.isnan(day.close), reference, day.close)
        returns = stock_returns(day, last, reference, haircut)
        span = slice(int(edges[k]), int(edges[k + 1]))
        at, change, price = column[span], signed[span], trades.price[span]
        np.add.at(shares, at, change)
        filled = trades.reason[span] == "rebalance"
        fills = float((change * (last[at] - price))[filled].sum()) / value
        shares[np.abs(shares) < 1e-6] = 0.0  # what selling out leaves of float arithmetic
        held = np.where(shares > 0, shares * np.nan_to_num(last), 0.0)
        value = result.capital * float(result.nav[k])
        if abs(float(held.sum()) + result.cash[k] - value) > max(0.01, 1e-10 * value):
            raise RuntimeError(
                f"{day.date}: the trades replayed give {held.sum() + result.cash[k]:.2f}, not {value:.2f}"
            )
        benchmark = benchmark_row(universe, result.index, day.row)
        weights = held / value
        yield Close(day, weights, float(weights.sum()), benchmark, returns), fills


def _returns(nav: Float64) -> Float64:
    return np.concatenate(([0.0], nav[1:] / nav[:-1] - 1.0))


def _scale(book: Float64, replica: Float64) -> Float64:
    """(ln(1 + book) − ln(1 + replica)) / (book − replica), in its limit 1 / (1 + book) where they are close."""
    difference = book - replica
    far = np.abs(difference) > 1e-9
    chord = (np.log1p(book) - np.log1p(replica)) / np.where(far, difference, 1.0)
    return np.where(far, chord, 1.0 / (1.0 + 0.5 * (book + replica)))
