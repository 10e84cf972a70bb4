"""Fill files as brokers have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfactor.backtest.fills import Fills
from deepfactor.core.errors import DataError
from deepfactor.desk.fill_file import read_fills
from deepfactor.market.fees import Costs
from support.desk import desk_market, written

PANEL, _ = desk_market()
DATE = PANEL.dates[-1]
A, B = (int(np.searchsorted(PANEL.symbols, symbol)) for symbol in ("000001.SZ", "600001.SH"))


def read(tmp_path: Path, text: str, encoding: str = "utf-8") -> tuple[Fills, Fills]:
    return read_fills(written(tmp_path / "f.csv", text, encoding), PANEL, DATE, Costs(rate=0.001))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("symbol,side,shares,price\n000001.SZ,buy,100,10.01\n000001.SZ,Buy,200,10.02\n600001.SH,sell,50,9\n", "utf-8"),
        (
            "stock_code,order_type,traded_volume,traded_price\n000001.SZ,23,100,10.01\nSZ000001,23,200,10.02\n"
            "600001,24,50,9\n",
            "utf-8",
        ),
        (
            "证券代码,买卖标志,成交数量,成交价格,成交金额\n1,买入,100,10.01,1001\n1,证券买入,200,10.02,2004\n"
            "600001,卖出,50,9,450\n",
            "gbk",
        ),
    ],
)  # fmt: skip
def test_fills_of_an_order_add_up(tmp_path: Path, text: str, encoding: str) -> None:
    sells, buys = read(tmp_path, text, encoding)
    assert (buys.shares[A], buys.amount[A], buys.cost[A]) == (300, 3005.0, 3.0)  # 3.005 to even fen
    assert (sells.shares[B], sells.amount[B], sells.cost[B]) == (50, 450.0, 0.45)
    assert buys.shares.sum() + sells.shares.sum() == 350


def test_costs_of_the_file_count(tmp_path: Path) -> None:
    _, buys = read(tmp_path, "symbol,side,shares,price,fee\n000001.SZ,b,100,10,5.01\n000001.SZ,b,100,10,5\n")
    assert buys.cost[A] == 10.01


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("000001.SZ,short,100,10,1000", "side", "'short' is no side"),
        ("600999.SH,buy,100,10,1000", "symbol", "unknown code"),
        ("000001.SZ,buy,100.5,10,1005", "shares", "no whole number"),
        ("000001.SZ,buy,-100,10,1000", "shares", "negative"),
        ("000001.SZ,buy,100,0,0", "price", "0 is no price"),
        ("000001.SZ,buy,100,10,1200", "amount", "1200.00 is not shares × price, 1000.00"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, row: str, column: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        read(tmp_path, f"symbol,side,shares,price,amount\n{row}\n")
    assert (error.value.row, error.value.column) == (1, column)


def test_fills_are_of_the_day(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the orders were for"):
        read(tmp_path, "symbol,side,shares,price,date\n000001.SZ,buy,100,10,2030-01-02\n")
