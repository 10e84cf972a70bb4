"""The day loop: ex-dates, settlements, yesterday's orders, marking, proof of the books; on signal days a decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay, days, last_close
from deepfactor.backtest.decision import Enhancer, decide
from deepfactor.backtest.fills import Fills, execute
from deepfactor.backtest.living import live
from deepfactor.backtest.log import Log, Pending
from deepfactor.backtest.result import BacktestResult
from deepfactor.backtest.signals import Knowledge, benchmark_row
from deepfactor.backtest.span import followed
from deepfactor.core.arrays import Bools, Dates, Float64
from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.cross_section.score_shapes import ScoreShape
from deepfactor.market.boards import boards_of
from deepfactor.market.fees import Costs
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import PriceField
from deepfactor.panel.schedule import Schedule
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from deepfactor.panel.weighting import require_index
from deepfactor.risk.model import RiskModel
from deepfactor.styles.base import StylesByDay

#: CNY; the whole market's value is of this size.
MOST_CAPITAL = 1e14
Fill = Literal["next_vwap", "next_close"]


class BacktestSettings(Spec):
    """How target weights become a portfolio.

    Orders are decided at the close of the `signal` days and filled on the next trading day at its `fill` price. A
    holding of a delisted stock settles at its last price × (1 − `haircut`). `score`: what of a day's scores the
    optimiser sees.
    """

    capital: float = Field(default=1e8, gt=0, le=MOST_CAPITAL)
    fill: Fill = "next_vwap"
    costs: Costs = Costs()
    haircut: float = Field(default=0.3, ge=0, le=1)
    signal: Schedule = "week_end"
    score: ScoreShape = "z"


def run_backtest(
    panel: Panel,
    universe: Universe,
    scores: Scores,
    styles: StylesByDay,
    enhancer: Enhancer,
    index: str,
    settings: BacktestSettings,
    *,
    start: np.datetime64 | str | None = None,
    end: np.datetime64 | str | None = None,
    eligible: Bools,
    risk: RiskModel | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BacktestResult:
    """Follow an index-enhanced portfolio from its first signal day to `end`, as far as its index goes (see `span`).

    Parameters
    ----------
    scores : aligned with `panel`; row t known at the close of t
    styles : mapping of name to (T, N)
        exposures that the enhancer's constraints may ask for; NaN = missing, filled in and counted.
    index : str
        benchmark, as in ``universe.members``.
    start, end : first and last date, both inclusive; None = the first and the last day with an eligible score
        the first signal is the first signal day from `start` on that has a score.
    eligible : (T, N) bool
        who may be bought on a signal day, such as ``universe.eligible(rule)``.
    risk : of `styles`, see `Knowledge`
    progress : called with (days done, days in all)

    Raises
    ------
    DataError
        unknown index, scores of another market, no signal day in the span, an index that has no members there, or
        published weights that sum to less than half of it.
    RuntimeError
        the books of a day don't balance to a cent: a fault of ours.
    """
    _require_alignment(panel, universe, scores, eligible)
    span = followed(universe, scores, eligible, index, schedule=settings.signal, start=start, end=end)
    rows = span.rows
    days_followed = slice(rows.start, rows.stop)
    require_index(index, universe.weighting[index][days_followed], universe.dates[days_followed])
    known = Knowledge(panel, universe, scores, styles, index, eligible, risk, settings.score)
    loop = _Loop(known, enhancer, settings, rows.start)
    loop.log.counts.update(span.without)
    field: PriceField = "vwap" if settings.fill == "next_vwap" else "close"
    if field not in panel.fields:
        raise DataError(f"fills at the next {field} need one, which the market lacks: say fill = next_close")
    wanted = set(span.signals.tolist())
    for done, day in enumerate(days(panel, universe, rows, field), start=1):
        loop.live(day, signal=day.row in wanted)
        if progress is not None:
            progress(done, len(rows))
    return replace(loop.result(), cuts=span.cuts)


class _Loop:
    """State of one backtest between two days."""

    def __init__(self, known: Knowledge, enhancer: Enhancer, settings: BacktestSettings, row: int) -> None:
        self.known, self.enhancer, self.settings, self.row = known, enhancer, settings, row
        self.universe, self.index, panel = known.universe, known.index, known.panel
        self.boards = boards_of(panel.symbols)
        # The book opens with yesterday's prices, as on any other morning.
        last = last_close(panel, row - 1) if row > 0 else np.full(panel.shape[1], np.nan)
        self.book = Book(np.zeros(panel.shape[1]), round(settings.capital, 2), last)
        self.value = self.book.value()
        self.aimed_at: Float64 | None = None
        self.pending: Pending | None = None
        self.log = Log(panel.symbols)
        self.dates = panel.dates
        self.daily: list[tuple[float, float, float, float]] = []
        self.replica_return = 0.0
        self.stale = 0

    def live(self, day: TradingDay, *, signal: bool) -> None:
        """One day, morning to close."""
        last, filled = self.book.last, self.pending
        self.pending = None
        trade = None if filled is None else partial(self._fill, filled.orders)
        lived = live(self.book, self.value, day, self.settings.haircut, trade)
        self.value = lived.value
        self.log.settle(day, lived.settled, lived.proceeds)
        if filled is not None and lived.sells is not None and lived.buys is not None:
            self.log.fill(day, "sell", lived.sells)
            self.log.fill(day, "buy", lived.buys)
            self.log.filled(filled, day, lived.sells, lived.buys, self.book)
        self._note(day, last, lived.cost)
        if signal:
            decision = decide(self.known, day, self.book, self.aimed_at, self.enhancer)
            self.aimed_at = decision.aimed_at
            self.pending = self.log.rebalance(day, decision, self.book)

    def _fill(self, orders: Float64, book: Book, day: TradingDay) -> tuple[Fills, Fills]:
        return execute(book, orders * day.ratio, day, self.boards, self.settings.costs)

    def _note(self, day: TradingDay, last: Float64, cost: float) -> None:
        """The day's row of the curves."""
        replica = self._replica_return(day, last) if self.daily else 0.0
        self.stale = int(((self.book.shares > 0) & np.isnan(day.close)).sum())
        self.log.counts["carried_days"] += self.stale
        self.daily.append((self.value, self.book.cash, cost, replica))

    def _replica_return(self, day: TradingDay, last: Float64) -> float:
        """Return of yesterday's benchmark weights, with dividends; without a trade 0, delisted −haircut."""
        weights = benchmark_row(self.universe, self.index, day.row - 1)
        held = np.flatnonzero(weights)
        with np.errstate(invalid="ignore"):
            change = self.book.last[held] * day.ratio[held] / last[held] - 1.0
        change = np.where(day.listed[held], np.where(np.isnan(change), 0.0, change), -self.settings.haircut)
        # Not a dot product: BLAS rounds by memory alignment, and a result is the same bit for bit.
        return float((weights[held] * change).sum())

    def _total_return(self, dates: Dates, span: slice, entry: int) -> Float64 | None:
        """The published total-return index; None, and counted, where it lacks days of the span."""
        level = self.universe.index_total_return.get(self.index)
        if level is None or not (missing := int(np.isnan(level[span]).sum())):
            return _level_nav(self.universe.index_total_return, self.index, dates, span, entry)
        self.log.counts["days_without_total_return_level"] = missing
        return None

    def result(self) -> BacktestResult:
        """The frozen result, benchmarks beside it."""
        value, cash, cost, replica = np.array(self.daily).T.copy()
        date = self.dates[self.row : self.row + len(value)]
        # Returns of the portfolio with the day's costs given back.
        gross = np.concatenate(([1.0], np.cumprod((value[1:] + cost[1:]) / value[:-1])))
        entry = min(1, len(date) - 1)
        replica[: entry + 1] = 0.0
        span = slice(self.row, self.row + len(date))
        self.log.counts["carried_at_end"] = self.stale
        return BacktestResult(
            index=self.index,
            capital=self.settings.capital,
            dates=date,
            nav=value / value[0],
            gross_nav=gross,
            cash=cash,
            cost=cost,
            benchmark_nav=_level_nav(self.universe.index_close, self.index, date, span, entry),
            total_return_nav=self._total_return(date, span, entry),
            replica_nav=np.asarray(np.cumprod(1.0 + replica), dtype=np.float64),
            replica_weights=self.universe.weighting[self.index][span].used(),
            trades=self.log.trades_table(),
            rejected=self.log.rejected_table(),
            weights=self.log.weights_table(),
            relaxations=self.log.relaxations_table(),
            binding=self.log.binding_table(),
            rebalances=self.log.rebalances_table(),
            counts=dict(sorted(self.log.counts.items())),
        )


def _level_nav(levels: Mapping[str, Float64], index: str, dates: Dates, span: slice, entry: int) -> Float64 | None:
    """An index's published levels as a NAV that stands at 1 up to row `entry`; None where it has no level at all."""
    level = levels.get(index)
    if level is None or np.isnan(level[span]).all():
        return None
    level = level[span]
    if np.isnan(level).any():
        missing = dates[np.isnan(level)]
        raise DataError(f"{index} has no close on {len(missing)} of {len(dates)} days, the first {missing[0]}")
    return np.where(np.arange(len(level)) <= entry, 1.0, level / level[entry])


def _require_alignment(panel: Panel, universe: Universe, scores: Scores, eligible: Bools) -> None:
    for name, shape in (("universe", universe.shape), ("scores", scores.values.shape), ("eligible", eligible.shape)):
        if shape != panel.shape:
            raise DataError(f"{name} is {shape}, wanted the panel's (days, stocks) = {panel.shape}")
    if not np.array_equal(scores.symbols, panel.symbols) or not np.array_equal(scores.dates, panel.dates):
        raise DataError("the scores are of other days or stocks than the panel: align them with it first")
