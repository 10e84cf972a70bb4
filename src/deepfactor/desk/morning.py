"""The morning: the day's reference prices and limits, and what of the evening's orders they leave possible."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay
from deepfactor.backtest.fills import execute
from deepfactor.backtest.result import Columns
from deepfactor.core.arrays import Bools, Float64, Strings, Symbols
from deepfactor.desk.tables import Cells, Column, day, read_cells
from deepfactor.market.boards import boards_of
from deepfactor.market.fees import Costs
from deepfactor.panel.panel import Panel

COLUMNS = (
    Column("symbol", ("stock_code", "code", "ticker", "证券代码", "股票代码", "代码")),
    Column("pre_close", ("preclose", "prev_close", "last_close", "昨收", "昨收价", "前收盘价")),
    Column("limit_up", ("up_limit", "high_limit", "UpStopPrice", "涨停价", "涨停")),
    Column("limit_down", ("down_limit", "low_limit", "DownStopPrice", "跌停价", "跌停")),
    Column("suspended", ("is_suspended", "paused", "InstrumentStatus", "停牌", "是否停牌"), required=False),
    Column("price", ("open", "last_price", "开盘价", "竞价", "最新价"), required=False),
    Column("date", ("日期",), required=False),
)
_YES, _NO = ("1", "true", "yes", "y", "是", "停牌"), ("", "0", "false", "no", "n", "否")
#: CNY below which two prices are the same tick.
_SAME = 0.005


@dataclass(frozen=True)
class Quotes:
    """What is known of a day before its orders go out, (N,).

    Attributes
    ----------
    reference : CNY: the day's reference price (a close, lowered on ex-dates); NaN = not known
    price : CNY: what it is expected to trade at; the reference where nothing is said
    limit_up, limit_down : CNY; NaN = not known
    suspended : does not trade
    """

    reference: Float64
    price: Float64
    limit_up: Float64
    limit_down: Float64
    suspended: Bools

    @classmethod
    def of_evening(cls, last: Float64) -> Quotes:
        """What the evening expects: tomorrow opens where today closed."""
        unknown = np.full_like(last, np.nan)
        return cls(last, last, unknown, unknown, np.zeros(len(last), dtype=np.bool_))


@dataclass(frozen=True)
class Changed(Columns):
    """Orders that the morning changed: `ordered` in the evening, `allowed` now, shares; why (see `fills.Reason`,
    and "ex_date": a buy of the same amount at the lower reference)."""

    kinds = ("U1", "U1", "f8", "f8", "U1")

    symbol: Symbols
    side: Strings
    ordered: Float64
    allowed: Float64
    reason: Strings


@dataclass(frozen=True)
class Checked:
    """Orders that can go out.

    Attributes
    ----------
    orders : (N,) shares to buy (> 0) or sell (< 0), in lots
    price : (N,) CNY, whole fen: of the order; NaN where there is none
    changed : what became of the evening's orders
    """

    orders: Float64
    price: Float64
    changed: Changed


def read_quotes(path: Path, panel: Panel, date: str | None) -> Quotes:
    """The morning's prices: symbol, pre_close, limit_up, limit_down, and as far as there are suspended, price, date.

    A stock without a row has no price, and can't be traded. An empty price is the reference; `date` is the day wanted,
    None = not known.

    Raises
    ------
    DataError
        names file, row and column: an unknown code, a code twice, a price that is none, limits that don't hold it
        between them, another day.
    """
    cells = read_cells(path, COLUMNS)
    if "date" in cells and date is not None:
        for k, found in enumerate(cells.taken("date", day)):
            if found != date:
                raise cells.fault(k, "date", f"{found}: the orders are for {date}")
    symbols = cells.symbols(panel.symbols, panel.former)
    cells.refuse_repeats(symbols)
    suspended = cells.taken("suspended", _yes) if "suspended" in cells else [False] * len(cells)
    names = ("pre_close", "limit_up", "limit_down", *(("price",) if "price" in cells else ()))
    columns = {name: cells.numbers(name, empty=0.0) for name in names}
    for k in range(len(cells)):
        if not suspended[k]:
            _require_prices(cells, k, {name: values[k] for name, values in columns.items()})
    at = np.searchsorted(panel.symbols, np.array(symbols, dtype=panel.symbols.dtype))
    aligned = {name: np.full(len(panel.symbols), np.nan) for name in ("pre_close", "limit_up", "limit_down", "price")}
    for name, values in columns.items():
        aligned[name][at] = np.where(np.array(values) > 0, values, np.nan)
    halted = np.zeros(len(panel.symbols), dtype=np.bool_)
    halted[at] = suspended
    price = np.where(np.isnan(aligned["price"]), aligned["pre_close"], aligned["price"])
    return Quotes(aligned["pre_close"], price, aligned["limit_up"], aligned["limit_down"], halted)


def _yes(text: str) -> bool:
    folded = text.casefold()
    if folded not in (*_YES, *_NO):
        raise ValueError(f"{text!r} is neither yes nor no: write 1 or 0")
    return folded in _YES


def _require_prices(cells: Cells, k: int, found: dict[str, float]) -> None:
    """A trading stock's reference is a price, and it and the expected price lie within the limits; 0 = no limit."""
    if not found["pre_close"] > 0:
        raise cells.fault(k, "pre_close", "a stock that isn't suspended has a reference price")
    for name in ("pre_close", "price"):
        value = found.get(name, 0.0)
        beyond = {"limit_up": value > found["limit_up"] > 0, "limit_down": 0 < value < found["limit_down"]}
        for limit in (limit for limit, out in beyond.items() if out):
            raise cells.fault(k, limit, f"{found[limit]:g} leaves out the {name} of {value:g}")


def check_orders(
    orders: Float64,
    book: Book,
    quotes: Quotes,
    costs: Costs,
    date: np.datetime64,
    symbols: Symbols,
    offset: float = 0.0,
) -> Checked:
    """What of `orders` (N,) the day's quotes leave possible, by the simulator's rules, in lots.

    A buy keeps its amount over an ex-date, a sale its shares: what the ex-date adds to a holding is not there yet.
    Nothing suspended, without a price, or at the limit on its side; no more than is sellable; buys are scaled down
    where cash and the sales don't pay for them at the orders' own prices.

    Parameters
    ----------
    book : the account of the evening; not changed
    offset : fraction by which a buyer's price lies above the expected one, a seller's below, within the limits
    """
    ratio = np.where(np.abs(quotes.reference - book.last) > _SAME, book.last / quotes.reference, 1.0)
    ratio = np.where(np.isfinite(ratio), ratio, 1.0)
    wanted = np.where(orders > 0, orders * ratio, orders)
    price = order_prices(wanted, quotes, offset)
    there = ~quotes.suspended
    trading = TradingDay(
        row=-1, date=date, ratio=np.ones_like(price), close=price, price=price,
        can_buy=~(quotes.price >= quotes.limit_up - _SAME), can_sell=~(quotes.price <= quotes.limit_down + _SAME),
        open_at_close=there, traded=there, listed=np.ones_like(there),
    )  # fmt: skip
    sells, buys = execute(book.copy(), wanted, trading, boards_of(symbols), costs)
    allowed = buys.shares - sells.shares
    reason = np.full(len(orders), "", dtype="U16")
    reason[(ratio != 1.0) & (orders > 0)] = "ex_date"
    for fills in (sells, buys):
        for why, shares in fills.rejected.items():
            reason[shares > 0] = why
    at = np.flatnonzero(allowed != orders)
    side = np.where(orders[at] > 0, "buy", "sell")
    changed = Changed(symbols[at], side, np.abs(orders[at]), np.abs(allowed[at]), reason[at])
    return Checked(allowed, np.where(allowed != 0, price, np.nan), changed)


def order_prices(orders: Float64, quotes: Quotes, offset: float) -> Float64:
    """(N,) the price of each order, CNY in whole fen, within the limits as far as they are known; NaN = none."""
    away = np.where(orders > 0, 1.0 + offset, 1.0 - offset)
    price = np.rint(quotes.price * away * 100.0) / 100.0
    within = np.fmax(np.fmin(price, quotes.limit_up), quotes.limit_down)
    return np.where(np.isnan(price), np.nan, within)
