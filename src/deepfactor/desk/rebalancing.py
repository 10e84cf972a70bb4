"""An evening's rebalance: the backtest's own decision on a real account, and its orders in lots for tomorrow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay, days
from deepfactor.backtest.decision import Decision, decide
from deepfactor.backtest.fills import Fills, execute
from deepfactor.backtest.result import Columns
from deepfactor.backtest.signals import Knowledge
from deepfactor.core.arrays import Float64, Strings, Symbols
from deepfactor.core.errors import DataError
from deepfactor.cross_section.plain_size import constant_rows
from deepfactor.desk.lists import Lists
from deepfactor.desk.risk_sheet import RiskSheet, risk_sheet
from deepfactor.desk.sheet import ActiveExposures, BeforeAndAfter, ConstraintSheet, active_exposures, constraint_sheet
from deepfactor.market.boards import boards_of
from deepfactor.panel.weighting import require_index
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import Enhancement
from deepfactor.portfolio.problem import InfeasibleError


@dataclass(frozen=True)
class TradeList(Columns):
    """Tomorrow's orders, sells before buys, each by symbol.

    `shares` in lots; `price` the last close, CNY; `amount` and `cost` at that price, CNY; `wanted` the shares that the
    target asks for, before lots and cash; `held`, `sellable` this evening; weights of the book's value; `score` the
    z-score of the day; `reason`: the constraint whose bound on this name binds, else "not_eligible" (it has no score
    that counts), else "score".
    """

    kinds = ("U1", "U1", *("f8",) * 11, "U1")

    symbol: Symbols
    side: Strings
    shares: Float64
    price: Float64
    amount: Float64
    cost: Float64
    wanted: Float64
    held: Float64
    sellable: Float64
    drifted_weight: Float64
    target_weight: Float64
    expected_weight: Float64
    score: Float64
    reason: Strings


@dataclass(frozen=True)
class Undone(Columns):
    """Shares that the target asks for and the trade list leaves out, and why (see `fills.Reason`)."""

    kinds = ("U1", "U1", "f8", "U1")

    symbol: Symbols
    side: Strings
    shares: Float64
    reason: Strings


#: By how much a weight that has to be held is asked for less: what dividing by the value loses.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Rebalanced:
    """What an evening comes to.

    Attributes
    ----------
    day, trade_date : the signal day, and the next trading day (NaT = the calendar doesn't say)
    decision : as a backtest's signal day has it
    book, expected : the account, and as it is expected after tomorrow's fills at today's prices
    sells, buys : those fills
    enhancement : what was kept, the lists among it
    left : names that the lists want sold, but can't be traded today
    unheld : names whose unsellable shares no portfolio can hold: the target is below them
    """

    day: TradingDay
    trade_date: np.datetime64
    decision: Decision
    book: Book
    expected: Book
    sells: Fills
    buys: Fills
    enhancement: Enhancement
    left: tuple[str, ...]
    unheld: tuple[str, ...] = ()

    @property
    def weights(self) -> BeforeAndAfter:
        """Of the problem's names."""
        names = self.decision.signal.names
        problem = self.decision.signal.problem
        return BeforeAndAfter(problem.previous, self.decision.target.weights, self.expected.weights()[names])

    def trades(self, symbols: Symbols) -> TradeList:
        """The trade list over the market's `symbols` (N,)."""
        signal = self.decision.signal
        score = np.zeros(len(symbols))
        score[signal.names] = signal.problem.score
        reasons = dict.fromkeys(signal.problem.symbols[~signal.problem.buyable].tolist(), "not_eligible")
        reasons |= {one.row: one.constraint for one in self.decision.target.binding}
        before, expected = self.book.weights(), self.expected.weights()
        blocks = []
        for side, fills in (("sell", self.sells), ("buy", self.buys)):
            at = np.flatnonzero(fills.shares)
            reason = np.array([reasons.get(symbol, "score") for symbol in symbols[at].tolist()], dtype=np.str_)
            own = (self.book.shares, self.book.sellable(), before, self.decision.aimed_at, expected, score)
            wanted = np.abs(self.decision.orders)
            cells = (fills.shares, self.book.last, fills.amount, fills.cost, wanted, *own)
            blocks.append((symbols[at], np.full(len(at), side), *(cell[at] for cell in cells), reason))
        return TradeList.stack(blocks)

    def undone(self, symbols: Symbols) -> Undone:
        """What the trade list leaves out, over the market's `symbols` (N,)."""
        blocks = []
        for side, fills in (("sell", self.sells), ("buy", self.buys)):
            for reason, shares in fills.rejected.items():
                at = np.flatnonzero(shares)
                blocks.append((symbols[at], np.full(len(at), side), shares[at], np.full(len(at), reason)))
        return Undone.stack(blocks)

    def sheet(self) -> ConstraintSheet:
        """Every bound, before and after."""
        problem = self.decision.signal.problem
        limits = IndexEnhancer(self.enhancement).limits(problem)
        return constraint_sheet(limits, problem, self.decision.target, self.weights)

    def risk(self) -> RiskSheet | None:
        """Forecast active risk, before and after; None without a risk model."""
        return risk_sheet(self.decision.signal.problem, 1.0 - self.enhancement.cash, self.weights)

    def exposures(self) -> ActiveExposures:
        """Active exposures, before and after."""
        return active_exposures(self.decision.signal.problem, 1.0 - self.enhancement.cash, self.weights)


def rebalance(
    known: Knowledge, row: int, book: Book, enhancement: Enhancement, lists: Lists, aimed_at: Float64 | None = None
) -> Rebalanced:
    """What to trade after the close of `row`, as a backtest's signal day would.

    Tomorrow is expected to open where today closed, and who can't be traded at today's close can't be tomorrow.

    Parameters
    ----------
    book : the account at that close, its locked shares those that can't be sold tomorrow; not changed. No target is
        below these where a portfolio allows that; else what can't be sold is left undone
    aimed_at : (N,) the last rebalance's target weights; None = there was none, or nobody knows

    Raises
    ------
    DataError
        no score to choose by, an index without weights, a turnover counted from a target that nobody gave.
    InfeasibleError
        no portfolio keeps what has to be kept; names it.
    """
    require_evening(known, row, book, enhancement, aimed_at)
    universe, panel, day = known.universe, known.panel, trading_day(known, row)
    frozen = panel.symbols[~day.open_at_close]
    enhancement, decision, unheld = _decided(known, day, book, aimed_at, enhancement, lists)
    expected, boards = book.copy(), boards_of(panel.symbols)
    trade_date = universe.next_date[row]
    sells, buys = execute(expected, decision.orders, tomorrow(day, book, trade_date), boards, enhancement.costs)
    left = tuple(sorted(set(lists.must_sell) & set(frozen[book.shares[~day.open_at_close] > 0].tolist())))
    return Rebalanced(day, trade_date, decision, book, expected, sells, buys, enhancement, left, unheld)


def require_evening(known: Knowledge, row: int, book: Book, enhancement: Enhancement, aimed_at: Float64 | None) -> None:
    """Refuse an evening that there is nothing to decide on; looks at no style, which may not be there yet.

    Raises
    ------
    DataError
        as `rebalance`.
    """
    _require_scores(known, row)
    if not book.value() > 0:
        raise DataError("the account holds neither stocks nor cash: there is nothing to invest")
    weighting, dates = known.universe.weighting[known.index], known.panel.dates
    require_index(known.index, weighting[row : row + 1], dates[row : row + 1])
    turnovers = [one.whole() for one in enhancement.constraints if one.kind == "turnover"]
    if aimed_at is None and book.shares.any() and any(one["turnover_from"] == "target" for one in turnovers):
        raise DataError(
            "the constraints count turnover from the last target, which isn't known: give the last rebalance "
            '(--previous), or say turnover_from = "drifted"'
        )


def trading_day(known: Knowledge, row: int) -> TradingDay:
    """The day of `row` as a backtest sees it."""
    return next(days(known.panel, known.universe, range(row, row + 1), "close"))


def tomorrow(day: TradingDay, book: Book, date: np.datetime64) -> TradingDay:
    """What the evening of `day` expects of the next one; `date` NaT = unknown, costs are then those of today."""
    return replace(
        day,
        row=day.row + 1,
        date=day.date if np.isnat(date) else date,
        ratio=np.ones_like(day.ratio),
        close=book.last,
        price=book.last,
        can_buy=day.open_at_close,
        can_sell=day.open_at_close,
    )


def _decided(
    known: Knowledge, day: TradingDay, book: Book, aimed_at: Float64 | None, enhancement: Enhancement, lists: Lists
) -> tuple[Enhancement, Decision, tuple[str, ...]]:
    """The target that holds what can't be sold tomorrow, else the one that would be best if it could be, and the names
    that this one passes over."""
    symbols = known.panel.symbols
    frozen, locked = symbols[~day.open_at_close], _locked(book, day, symbols)
    listed = lists.apply(enhancement, frozen)
    if locked:
        held = lists.apply(enhancement, frozen, locked)
        try:
            return held, decide(known, day, book, aimed_at, IndexEnhancer(held)), ()
        except InfeasibleError:
            pass  # the other target is said to pass over them, and the trade list what of it can't be done
    return (
        listed,
        decide(known, day, book, aimed_at, IndexEnhancer(listed)),
        tuple(sorted(set(locked) - set(lists.must_sell))),
    )


def _locked(book: Book, day: TradingDay, symbols: Symbols) -> dict[str, float]:
    """Weight of the shares that may not be sold tomorrow, by name, of those that can be traded at all."""
    at = np.flatnonzero((book.locked > 0) & (book.shares > 0) & day.open_at_close)
    weights = np.minimum(book.locked[at] / book.shares[at], 1.0) * book.weights()[at] * (1.0 - ROUNDING)
    return dict(zip(symbols[at].tolist(), weights.tolist(), strict=True))


def _require_scores(known: Knowledge, row: int) -> None:
    scored = known.eligible & np.isfinite(known.scores.values)
    date, where = known.panel.dates[row], f"factor {known.scores.name}"
    if not scored[row].any():
        there = known.panel.dates[np.flatnonzero(scored.any(axis=1))]
        newest = f"the newest day with one is {there[-1]}" if len(there) else "nor on any other day"
        raise DataError(f"{where} has no score of an eligible stock on {date}: {newest}")
    if constant_rows(known.scores.values[row][None, :], scored[row][None, :])[0]:
        raise DataError(f"{where} gives all eligible stocks one score on {date}: nothing tells them apart")
