"""What a broker says was filled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from deepfactor.backtest.fills import Fills
from deepfactor.core.arrays import Float64
from deepfactor.desk.tables import Cells, Column, day, fen, number, read_cells
from deepfactor.market.fees import Costs, Side
from deepfactor.panel.panel import Panel

#: Words for a side, as people, xtquant and brokers' exports have them.
SIDES: Mapping[str, Side] = {
    **dict.fromkeys(("buy", "b", "23", "买", "买入", "证券买入"), "buy"),
    **dict.fromkeys(("sell", "s", "24", "卖", "卖出", "证券卖出"), "sell"),
}
COLUMNS = (
    Column("symbol", ("stock_code", "code", "ticker", "证券代码", "股票代码", "代码")),
    Column("side", ("order_type", "direction", "买卖标志", "买卖方向", "操作", "方向")),
    Column("shares", ("traded_volume", "volume", "quantity", "成交数量", "成交股数", "数量")),
    Column("price", ("traded_price", "成交价格", "成交均价", "成交价")),
    Column("amount", ("traded_amount", "成交金额"), required=False),
    Column("cost", ("fee", "total_fee", "费用", "手续费"), required=False),
    Column("date", ("成交日期", "日期"), required=False),
)


def read_fills(
    path: Path, panel: Panel, date: np.datetime64, costs: Costs, *, fractions: bool = False
) -> tuple[Fills, Fills]:
    """The fills of `date`, (sells, buys), from a broker's file: a row a fill, several of one order added up.

    Without a column of amounts an amount is shares × price; without one of costs an order's cost is that of `costs`.

    Raises
    ------
    DataError
        names file, row and column: an unknown code or side, shares that are not whole (unless `fractions`), a price or
        cost that is none, another day, amounts that are not shares × price.
    """
    cells = read_cells(path, COLUMNS)
    _require_day(cells, date)
    symbols = cells.symbols(panel.symbols, panel.former)
    at = np.searchsorted(panel.symbols, np.array(symbols, dtype=panel.symbols.dtype))
    sides = np.array(cells.taken("side", _side), dtype=np.str_)
    shares = np.array(cells.numbers("shares", whole=not fractions), dtype=np.float64)
    amount = _amounts(cells, shares)
    cost = np.array(cells.taken("cost", fen), dtype=np.float64) if "cost" in cells else None

    def total(side: Side) -> Fills:
        def summed(values: Float64) -> Float64:
            return np.bincount(at[sides == side], values[sides == side], len(panel.symbols)).astype(np.float64)

        money = np.round(summed(amount), 2)
        paid = costs.cost(money, side, date) if cost is None else summed(cost)
        return Fills(summed(shares), money, np.round(paid, 2), {})

    return total("sell"), total("buy")


def _require_day(cells: Cells, date: np.datetime64) -> None:
    if "date" in cells:
        for k, found in enumerate(cells.taken("date", day)):
            if found != str(date):
                raise cells.fault(k, "date", f"{found}: the orders were for {date}")


def _side(text: str) -> str:
    side = SIDES.get(text.strip().casefold())
    if side is None:
        raise ValueError(f"{text!r} is no side: there are {', '.join(SIDES)}")
    return side


def _price(text: str) -> float:
    value = number(text)
    if value <= 0:
        raise ValueError(f"{text} is no price")
    return value


def _amounts(cells: Cells, shares: Float64) -> Float64:
    """CNY of each row, whole fen; as the file has it, within a tick a share of shares × price."""
    price = np.array(cells.taken("price", _price), dtype=np.float64)
    reckoned = np.round(shares * price, 2)
    if "amount" not in cells:
        return reckoned
    given = np.array(cells.taken("amount", fen), dtype=np.float64)
    wrong = np.flatnonzero(np.abs(given - reckoned) > 0.01 * np.maximum(shares, 1.0))
    if len(wrong):
        k = int(wrong[0])
        raise cells.fault(k, "amount", f"{given[k]:.2f} is not shares × price, {reckoned[k]:.2f}")
    return given
