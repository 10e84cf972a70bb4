"""What an account holds, as its broker's position file says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import last_close
from deepfactor.core.arrays import AnyArray, Float64, Symbols
from deepfactor.core.errors import DataError
from deepfactor.desk.tables import Cells, Column, day, fen, number, read_cells
from deepfactor.panel.panel import Panel

#: What the row of the cash is called in the column of the codes.
CASH = ("CASH", "CNY", "RMB", "现金", "人民币")
COLUMNS = (
    Column("symbol", ("stock_code", "code", "ticker", "证券代码", "股票代码", "代码")),
    Column("shares", ("volume", "quantity", "证券数量", "股票余额", "持仓数量", "当前持仓", "持股数量", "数量")),
    Column("sellable", ("can_use_volume", "available", "可用数量", "可卖数量", "可用余额", "可用股份", "可用持仓"),
           required=False),
    Column("on_road_volume", ("在途股份", "在途数量"), required=False),
    Column("cost", ("avg_price", "open_price", "成本价", "参考成本价", "买入均价"), required=False),
    Column("date", ("日期", "持仓日期"), required=False),
)  # fmt: skip


@dataclass(frozen=True)
class Holdings:
    """What an account holds at a close, over the N stocks of a market.

    Attributes
    ----------
    shares, sellable : (N,) float64
        held, and of these what may be sold on the next trading day.
    cost : (N,) float64
        CNY a share, as the broker counts it (it may be negative); NaN = not known. Shown, never reckoned with.
    cash : float
        CNY, whole fen.
    """

    shares: Float64
    sellable: Float64
    cost: Float64
    cash: float

    @classmethod
    def of_cash(cls, stocks: int, cash: float) -> Holdings:
        """An account that holds nothing yet."""
        return cls(np.zeros(stocks), np.zeros(stocks), np.full(stocks, np.nan), cash)

    def book(self, panel: Panel, row: int) -> Book:
        """The account at the last known prices of `row`.

        Raises
        ------
        DataError
            a stock is held that has never traded in this market: it has no price.
        """
        last = last_close(panel, row)
        unpriced = panel.symbols[(self.shares > 0) & np.isnan(last)]
        if len(unpriced):
            raise DataError(f"{unpriced[0]} is held, but never traded up to {panel.dates[row]}: it has no price")
        book = Book(self.shares.copy(), self.cash, last)
        book.lock(self.shares - self.sellable)
        return book


def read_holdings(
    path: Path, panel: Panel, date: np.datetime64, *, cash: float | None = None, fractions: bool = False
) -> Holdings:
    """The holdings of a position file, of the evening of `date`.

    A row a stock: its code in any vendor's form, shares, and as far as the file has them sellable shares, cost, date.
    Without sellable shares all can be sold; shares on the road (bought today) are sellable tomorrow. Cash is a row of
    its own (`CASH`), or `cash`. Names of columns in English or Chinese, see `COLUMNS`.

    Parameters
    ----------
    fractions : shares need not be whole, as a simulated book's after ex-dates

    Raises
    ------
    DataError
        names file, row and column: an unknown code, shares that are negative or not whole, more sellable than held,
        another day, a code twice, no cash or two.
    """
    cells = read_cells(path, COLUMNS)
    if not len(cells):
        raise DataError("holds no rows: an account that holds nothing yet has a row of cash", file=path)
    _require_day(cells, date)
    stocks, own_cash = _apart(cells)
    if own_cash is not None and cash is not None:
        raise DataError("has a row of cash, and --cash is given: keep one", file=path)
    if own_cash is None:
        own_cash = cash
    if own_cash is None:
        raise DataError("has no cash: give it as a row CASH, or by --cash", file=path)
    return _aligned(stocks, panel, own_cash, whole=not fractions)


def position_columns(holdings: Holdings, symbols: Symbols, date: np.datetime64) -> dict[str, AnyArray]:
    """Columns of a position file that `read_holdings` reads: the cash, then a row a stock held."""
    held = holdings.shares > 0
    rows = int(held.sum()) + 1
    return {
        "symbol": np.concatenate(([CASH[0]], symbols[held])),
        "shares": np.concatenate(([holdings.cash], holdings.shares[held])),
        "sellable": np.concatenate(([np.nan], holdings.sellable[held])),
        "cost": np.concatenate(([np.nan], holdings.cost[held])),
        "date": np.full(rows, str(date)),
    }


def _require_day(cells: Cells, date: np.datetime64) -> None:
    if "date" not in cells:
        return
    for k, found in enumerate(cells.taken("date", day)):
        if found != str(date):
            why = "lies in the future" if found > str(date) else "has passed"
            raise cells.fault(k, "date", f"{found} {why}: wanted the holdings of the evening of {date}")


def _apart(cells: Cells) -> tuple[Cells, float | None]:
    """The rows of stocks, and the cash of a row that is cash."""
    marks = [text.upper() in CASH for text in cells.texts["symbol"]]
    if sum(marks) > 1:
        raise cells.fault([k for k, mark in enumerate(marks) if mark][1], "symbol", "a second row of cash: keep one")
    if not any(marks):
        return cells, None
    kept = [k for k, mark in enumerate(marks) if not mark]
    cash = cells.only([marks.index(True)]).taken("shares", fen)[0]
    return cells.only(kept), cash


def _aligned(cells: Cells, panel: Panel, cash: float, *, whole: bool) -> Holdings:
    symbols = cells.symbols(panel.symbols, panel.former)
    cells.refuse_repeats(symbols)
    at = np.searchsorted(panel.symbols, np.array(symbols, dtype=panel.symbols.dtype))
    held = cells.numbers("shares", whole=whole)
    free = cells.numbers("sellable", whole=whole) if "sellable" in cells else held
    if "on_road_volume" in cells and "sellable" in cells:
        road = cells.numbers("on_road_volume", empty=0.0, whole=whole)
        free = [now + tomorrow for now, tomorrow in zip(free, road, strict=True)]
    for k, (owned, may) in enumerate(zip(held, free, strict=True)):
        if may > owned:
            raise cells.fault(k, "sellable", f"{may:g} sellable of {owned:g} held: no more can be sold than is held")
    cost = cells.taken("cost", lambda text: number(text) if text else np.nan) if "cost" in cells else np.nan
    found = Holdings.of_cash(len(panel.symbols), cash)
    found.shares[at], found.sellable[at], found.cost[at] = held, free, cost
    return found
