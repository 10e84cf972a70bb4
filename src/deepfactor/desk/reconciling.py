"""From an evening's account and the day's fills to the next evening's account, by the backtest's own book."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay, days, tick_prices
from deepfactor.backtest.fills import Fills
from deepfactor.backtest.living import live
from deepfactor.backtest.result import Columns
from deepfactor.core.arrays import Bools, Float64, Strings, Symbols
from deepfactor.core.errors import DataError
from deepfactor.desk.holdings import Holdings
from deepfactor.panel.build.derived import CASH_DIVIDEND
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

#: A float's way from a whole number of shares.
_SLACK = 1e-6
#: The morning counts by a reference price in whole fen, which the adjustment factor isn't bound to.
_REFERENCE = 1.005
#: CNY: a mean price may lie off its fills by the rounding of amounts.
_TICK = 0.01


@dataclass(frozen=True)
class FillTable(Columns):
    """A line an order.

    `ordered`, `filled`, `unfilled` shares; `price` the mean fill, `vwap` and `close` of the day, CNY a share;
    `slippage_vwap`, `slippage_close` by how much the fill was worse than these, a fraction (< 0 = better); `amount` and
    `cost` CNY. NaN where nothing was filled, or the market has no such price. `in_range`: `price` lies between the
    day's low and high, or nothing was filled.
    """

    kinds = ("U1", "U1", *("f8",) * 10, "?")

    symbol: Symbols
    side: Strings
    ordered: Float64
    filled: Float64
    unfilled: Float64
    price: Float64
    vwap: Float64
    close: Float64
    slippage_vwap: Float64
    slippage_close: Float64
    amount: Float64
    cost: Float64
    in_range: Bools


@dataclass(frozen=True)
class Reconciled:
    """An evening's account.

    Attributes
    ----------
    date : of the evening
    book : the account at its close
    value : CNY
    sells, buys : the fills
    ex_dates : stocks held over an ex-date since the evening before
    settled : delisted holdings that were turned into cash
    dividends : CNY that ex-dates were taken to have paid
    """

    date: np.datetime64
    book: Book
    value: float
    sells: Fills
    buys: Fills
    ex_dates: tuple[str, ...]
    settled: tuple[str, ...]
    dividends: float


def require_ordered(orders: Float64, day: TradingDay, sells: Fills, buys: Fills, symbols: Symbols) -> None:
    """A `DataError` where more was filled than was ordered, or where a stock was filled that did not trade.

    `orders` (N,) in the shares of the evening; over an ex-date an order may grow by the factor's ratio.
    """
    grown = np.where(day.ratio > 1.0, day.ratio * _REFERENCE, 1.0)
    for side, wanted, fills in (("sold", -orders, sells), ("bought", orders, buys)):
        most = np.maximum(wanted, 0.0) * grown
        beyond = np.flatnonzero(fills.shares > most + _SLACK * np.maximum(most, 1.0))
        if len(beyond):
            k = int(beyond[0])
            what = f"{most[k]:g} were ordered" if most[k] else "no such order was made"
            raise DataError(f"fills exceed the orders: {fills.shares[k]:g} {symbols[k]} were {side}, {what}")
        idle = np.flatnonzero((fills.shares > 0) & ~day.traded)
        if len(idle):
            raise DataError(f"{symbols[idle[0]]} was {side} on {day.date}, when it did not trade by the market's data")


def evening(
    book: Book, panel: Panel, universe: Universe, rows: range, sells: Fills, buys: Fills, haircut: float,
    *, reinvested: bool = False,
) -> Reconciled:  # fmt: skip
    """The account at the close of the last of `rows`, from that before the first, on which the fills were made.

    Parameters
    ----------
    book : changed to that of the evening; what was locked in it stays so, what T+1 locks is free by tomorrow
    haircut : what a delisted holding loses of its last price
    reinvested : ex-dates make shares, fractions kept, as a backtest has it. Else an account is expected to have been
        paid: where the factor rises by less than 8 % a cash dividend (tax ignored), beyond it bonus shares, the
        fraction in cash; the broker's own positions are the truth.

    Raises
    ------
    DataError
        the fills sell more than may be sold, or spend more than there is.
    """
    value, dividends, frozen = book.value(), 0.0, book.locked
    ex_dates: set[str] = set()
    settled: set[str] = set()
    for day in days(panel, universe, rows, "close"):
        ex = (day.ratio != 1.0) & (book.shares > 0)
        paying = np.zeros_like(ex) if reinvested else ex
        fills = (sells, buys) if day.row == rows.start else (_none(len(ex)), _none(len(ex)))
        lived = live(book, value, day, haircut, partial(_trade, paying, book.shares, fills, panel.symbols))
        value = lived.value
        if lived.sells is not None:
            dividends += float(lived.sells.amount.sum() - fills[0].amount.sum())
        ex_dates |= set(panel.symbols[ex].tolist())
        settled |= set(panel.symbols[lived.settled > 0].tolist())
    book.lock(np.minimum(frozen, book.shares))
    gone, ex_names = tuple(sorted(settled)), tuple(sorted(ex_dates))
    return Reconciled(panel.dates[rows[-1]], book, value, sells, buys, ex_names, gone, round(dividends, 2))


def _trade(
    paying: Bools, held: Float64, fills: tuple[Fills, Fills], symbols: Symbols, book: Book, day: TradingDay
) -> tuple[Fills, Fills]:
    """What ex-dates paid on the `held` of the evening before, then the fills, into `book`."""
    sells, buys = fills
    paid = _paid(book, paying, held, day.ratio)
    book.sell(paid.shares, paid.amount, paid.cost)
    _require_possible(book, sells, buys, symbols)
    book.sell(sells.shares, sells.amount, sells.cost)
    book.buy(buys.shares, buys.amount, buys.cost)
    return Fills(paid.shares + sells.shares, paid.amount + sells.amount, paid.cost + sells.cost, {}), buys


def _paid(book: Book, paying: Bools, held: Float64, ratio: Float64) -> Fills:
    """The shares that a book has too many where a dividend was paid in cash, as sold at the ex-date's reference."""
    whole = np.floor(book.shares + _SLACK)
    kept = np.where((ratio > 1.0) & (ratio < CASH_DIVIDEND), held, whole)
    extra = np.where(paying, np.maximum(book.shares - kept, 0.0), 0.0)
    amount = np.where(extra > 0, np.round(extra * book.last, 2), 0.0)
    return Fills(extra, amount, np.zeros_like(extra), {})


def _require_possible(book: Book, sells: Fills, buys: Fills, symbols: Symbols) -> None:
    over = np.flatnonzero(sells.shares > book.sellable())
    if len(over):
        k = int(over[0])
        raise DataError(f"{sells.shares[k]:g} {symbols[k]} were sold, of which {book.sellable()[k]:g} may be sold")
    left = book.cash + float((sells.amount - sells.cost - buys.amount - buys.cost).sum())
    if left < -0.005:
        raise DataError(f"the fills spend {-left:,.2f} CNY more than the account has")


def held_after(made: Reconciled, before: Holdings, *, reinvested: bool) -> Holdings:
    """The account as a position file has it; `cost` is the mean price paid, costs included, not known where it wasn't
    `before`."""
    shares, buys = made.book.shares, made.buys
    whole = np.rint(shares)
    if not reinvested:
        shares = np.where(np.abs(shares - whole) < _SLACK, whole, shares)
    paid = np.where(before.shares > 0, before.cost * before.shares, 0.0) + buys.amount + buys.cost
    count = made.book.shares + made.sells.shares  # in today's share terms
    cost = np.full(len(shares), np.nan)
    np.divide(paid, count, out=cost, where=(count > 0) & (shares > 0))
    return Holdings(shares, np.minimum(made.book.sellable(), shares), cost, made.book.cash)


def _none(stocks: int) -> Fills:
    nothing = np.zeros(stocks)
    return Fills(nothing, nothing, nothing, {})


@dataclass(frozen=True)
class DayPrices:
    """What a day's fills are held against, CNY (N,); NaN = no trade, or the market has no such price."""

    vwap: Float64
    close: Float64
    low: Float64
    high: Float64

    @classmethod
    def of(cls, panel: Panel, row: int) -> DayPrices:
        """Those of `row`."""
        unknown = np.full(len(panel.symbols), np.nan)
        names = ("vwap", "close", "low", "high")
        return cls(*(tick_prices(panel[name][row]) if name in panel.fields else unknown for name in names))


def fill_table(orders: Float64, prices: DayPrices, sells: Fills, buys: Fills, symbols: Symbols) -> FillTable:
    """What became of each of `orders` (N,), by the day's prices."""
    blocks = []
    for side, sign, fills in (("sell", -1.0, sells), ("buy", 1.0, buys)):
        ordered = np.maximum(sign * orders, 0.0)
        at = np.flatnonzero((ordered > 0) | (fills.shares > 0))
        filled, amount = fills.shares[at], fills.amount[at]
        price = np.full(len(at), np.nan)
        np.divide(amount, filled, out=price, where=filled > 0)
        vwap, close, low, high = (of[at] for of in (prices.vwap, prices.close, prices.low, prices.high))
        worse = (sign * (price / vwap - 1.0), sign * (price / close - 1.0))
        inside = ~((price < low - _TICK) | (price > high + _TICK))
        unfilled = np.maximum(ordered[at] - filled, 0.0)
        cells = (ordered[at], filled, unfilled, price, vwap, close, *worse, amount, fills.cost[at], inside)
        blocks.append((symbols[at], np.full(len(at), side), *cells))
    return FillTable.stack(blocks)
