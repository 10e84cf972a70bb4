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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.days import TradingDay, days, last_close
from deepfactor.backtest.factor_returns import FactorReturns, estimate, matrix
from deepfactor.backtest.result import BacktestResult
from deepfactor.backtest.signals import benchmark_row
from deepfactor.core.arrays import AnyArray, Bools, Dates, Float64, Floats, Indices
from deepfactor.core.words import Sentence
from deepfactor.evaluation.statistics import years_of
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles.completion import complete_exposures

METHOD = Sentence(
    "against the replica; daily cross-sectional regression on industries and styles, weights sqrt(market value); "
    "parts are log returns (Carino), which add over days and years to ln of the excess NAV",
    "相对复制指数；逐日截面对行业与风格回归，以市值平方根加权；"
    "各部分为对数收益（Carino方法），按日、按年可加，合计为超额净值的对数",
)
PARTS = ("style", "industry", "selection", "cost", "cash_and_rounding")
#: Contributions that every day has, beside styles and industries: (part, name).
_OTHERS = (
    ("selection", "stocks"), ("selection", "fills"), ("cost", "cost"),
    ("cash_and_rounding", "cash"), ("cash_and_rounding", "rounding"),
)  # fmt: skip
UNKNOWN = "unknown"


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
    """

    dates: Dates
    sources: tuple[tuple[str, str], ...]
    contribution: Float64
    active: Float64
    scale: Float64
    styles: tuple[str, ...]
    exposures: Float64

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
    result: BacktestResult, panel: Panel, universe: Universe, styles: Mapping[str, Floats], haircut: float
) -> Attribution:
    """Attribute a backtest's active return; `styles` and `haircut` as the backtest had them.

    Raises
    ------
    RuntimeError
        the holdings replayed from the trades are not worth the NAV: a fault of ours.
    """
    first = int(np.searchsorted(panel.dates, result.dates[0]))
    rows = range(first, first + len(result.dates))
    groups = len(universe.industries) + 1  # the last is that of unknown industries
    names = [("style", name) for name in styles] + [("industry", name) for name in (*universe.industries, UNKNOWN)]
    book, replica = _returns(result.nav), _returns(result.replica_nav)
    shape = (len(rows), len(styles))
    contribution, exposures = np.zeros((len(rows), len(names) + len(_OTHERS))), np.zeros(shape)
    before: _Close | None = None
    for k, close in enumerate(_closes(result, panel, universe, rows, haircut)):
        group = universe.industry[close.day.row].astype(np.intp) % groups  # −1 is the last
        held = np.flatnonzero((close.weights != 0) | (close.benchmark != 0))
        completed, _ = complete_exposures(styles, close.day.row, held, universe.industry[close.day.row])
        active = close.weights[held] - close.invested * close.benchmark[held]
        if before is not None:
            factors = _factors(before, close, panel, universe, styles, groups)
            contribution[k] = _explain(before, close, factors, groups)
            contribution[k, -2] = -(1.0 - before.invested) * replica[k]
        close.state(held, active, matrix(completed, len(held)), group[held])
        exposures[k] = (close.exposures * active).sum(axis=1)
        before = close
    contribution[1:, -3] = -result.cost[1:] / (result.capital * result.nav[:-1])
    active_return = book - replica
    contribution[:, -1] = active_return - contribution[:, :-1].sum(axis=1)
    return Attribution(
        result.dates, (*names, *_OTHERS), contribution, active_return, _scale(book, replica), tuple(styles), exposures
    )


@dataclass
class _Close:
    """A day's close: the book's and the replica's weights (N,), stock returns of the day, what fills made.

    `held` (n,) columns with a weight in either; `active` (n,) weights, `exposures` (K, n) and `group` (n,) of these.
    """

    day: TradingDay
    weights: Float64
    invested: float
    benchmark: Float64
    returns: Float64
    fills: float

    def state(self, held: Indices, active: Float64, exposures: Float64, group: Indices) -> None:
        """What the next day's return is explained by."""
        self.held, self.active, self.exposures, self.group = held, active, exposures, group


def _explain(before: _Close, close: _Close, factors: FactorReturns, groups: int) -> Float64:
    """Contributions of styles, industries, stocks and fills; the others 0."""
    returns = close.returns[before.held]
    style = (before.exposures * before.active).sum(axis=1) * factors.styles
    industry = np.bincount(before.group, before.active, groups) * factors.industries
    rest = returns - factors.fitted(before.exposures, before.group)
    stocks = float((before.active * rest).sum())
    return np.concatenate((style, industry, [stocks, close.fills, 0.0, 0.0, 0.0]))


def _factors(
    before: _Close, close: _Close, panel: Panel, universe: Universe, styles: Mapping[str, Floats], groups: int
) -> FactorReturns:
    """Factor returns of a day over all stocks that traded on it and the day before, with all exposures and a value."""
    row = before.day.row
    cap = _market_value(panel, row)
    known = before.day.traded & close.day.traded & close.day.listed & np.isfinite(close.returns) & (cap > 0)
    exposures = np.array([values[row] for values in styles.values()], dtype=np.float64).reshape(len(styles), len(cap))
    at = np.flatnonzero(known & np.isfinite(exposures).all(axis=0))
    group = universe.industry[row][at].astype(np.intp) % groups
    return estimate(close.returns[at], exposures[:, at], group, cap[at], groups)


def _market_value(panel: Panel, row: int) -> Float64:
    """Float market value (N,), else the total one, else 1 each; NaN = none known."""
    for name in ("float_mv", "total_mv"):
        if name in panel.fields:
            return np.asarray(panel[name][row], dtype=np.float64)
    return np.ones(panel.shape[1])


def _closes(result: BacktestResult, panel: Panel, universe: Universe, rows: range, haircut: float) -> Iterator[_Close]:
    """The book of each day, replayed from its trades: shares × ratio + bought − sold."""
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
        with np.errstate(invalid="ignore"):
            returns = np.where(day.listed, last / reference - 1.0, -haircut)
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
        yield _Close(day, weights, float(weights.sum()), benchmark, np.nan_to_num(returns), fills)


def _returns(nav: Float64) -> Float64:
    return np.concatenate(([0.0], nav[1:] / nav[:-1] - 1.0))


def _scale(book: Float64, replica: Float64) -> Float64:
    """(ln(1 + book) − ln(1 + replica)) / (book − replica), in its limit 1 / (1 + book) where they are close."""
    difference = book - replica
    far = np.abs(difference) > 1e-9
    chord = (np.log1p(book) - np.log1p(replica)) / np.where(far, difference, 1.0)
    return np.where(far, chord, 1.0 / (1.0 + 0.5 * (book + replica)))
