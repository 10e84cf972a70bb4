"""Position files as people and brokers have them, and what of them is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.errors import DataError
from deepfactor.desk.files import write_csv
from deepfactor.desk.holdings import Holdings, position_columns, read_holdings
from support.desk import desk_market, random_holdings, written

PANEL, UNIVERSE = desk_market()
DATE = PANEL.dates[-1]
A, B = "000001.SZ", "600001.SH"
A_AT, B_AT = (int(np.searchsorted(PANEL.symbols, symbol)) for symbol in (A, B))


def read(tmp_path: Path, text: str, encoding: str = "utf-8", **more: object) -> Holdings:
    return read_holdings(written(tmp_path / "h.csv", text, encoding), PANEL, DATE, **more)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("symbol,shares,sellable,cost\nCASH,1000.55,,\n000001.SZ,300,200,-1.5\n600001.SH,150,150,\n", "utf-8"),
        (
            "stock_code,volume,can_use_volume,avg_price\nSZ000001,300,200,-1.5\n600001.XSHG,150,150,\n"
            "CNY,1000.55,0,\n",
            "utf-8-sig",
        ),
        (
            "证券代码\t证券数量\t可用数量\t成本价\n'000001\t300\t200\t-1.5\n=\"600001\"\t150\t150\t\n"
            "现金\t1000.55\t\t\n",
            "gbk",
        ),
    ],
)  # fmt: skip
def test_forms_of_positions_say_the_same(tmp_path: Path, text: str, encoding: str) -> None:
    found = read(tmp_path, text, encoding)
    assert found.cash == 1000.55
    assert (found.shares[A_AT], found.sellable[A_AT], found.cost[A_AT]) == (300, 200, -1.5)
    assert (found.shares[B_AT], found.sellable[B_AT]) == (150, 150)
    assert np.isnan(found.cost[B_AT])
    assert found.shares.sum() == 450


def test_what_is_on_the_road_can_be_sold_tomorrow(tmp_path: Path) -> None:
    text = "stock_code,volume,can_use_volume,on_road_volume\n000001.SZ,300,0,200\n"
    assert read(tmp_path, text, cash=5.0).sellable[A_AT] == 200


@pytest.mark.parametrize(
    ("rows", "row", "column", "said"),
    [
        ("000001.SZ,300,300\n600999.SH,100,100", 2, "symbol", "unknown code '600999.SH': an A-share that this market"),
        ("511880.SH,300,300", 1, "symbol", "unknown code '511880.SH': a fund"),
        ("abc,300,300", 1, "symbol", "unknown code 'abc'"),
        (",300,300", 1, "symbol", "missing"),
        ("000001.SZ,-300,0", 1, "shares", "-300 is negative"),
        ("000001.SZ,300.5,300", 1, "shares", "300.5 is no whole number of shares"),
        ('000001.SZ,"1,300",300', 1, "shares", "write thousands without a mark"),
        ("000001.SZ,1e300,300", 1, "shares", "can't be meant"),
        ("000001.SZ,inf,300", 1, "shares", "can't be meant"),
        ("000001.SZ,,300", 1, "shares", "is empty"),
        ("000001.SZ,300,350", 1, "sellable", "350 sellable of 300 held"),
        ("000001.SZ,300,-50", 1, "sellable", "-50 is negative"),
        ("000001.SZ,300,300\n\n1,100,100", 3, "symbol", "1 stands in row 1 already"),
        ("CASH,5,\nCNY,6,", 2, "symbol", "a second row of cash"),
        ("CASH,-5,", 1, "shares", "-5 is negative"),
        ("CASH,5.123,", 1, "shares", "no whole number of fen"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, rows: str, row: int, column: str, said: str) -> None:
    cash = None if "CASH" in rows else 1.0
    with pytest.raises(DataError) as error:
        read(tmp_path, f"symbol,shares,sellable\n{rows}\n", cash=cash)
    assert said in str(error.value)
    assert (error.value.row, error.value.column) == (row, column)
    assert error.value.file == tmp_path / "h.csv"


@pytest.mark.parametrize(
    ("text", "cash", "said"),
    [
        ("symbol\n000001.SZ\n", 1.0, "column shares: missing"),
        ("symbol,shares,shares\n000001.SZ,1,1\n", 1.0, "more than once"),
        ("symbol,shares\n", 1.0, "holds no rows"),
        ("symbol,shares\n000001.SZ,100\n", None, "no cash"),
        ("symbol,shares\nCASH,100\n", 1.0, "keep one"),
        ("symbol,shares\n000001.SZ\n", 1.0, "the line has 1 fields"),
        ("", 1.0, "is empty"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, cash: float | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, text, cash=cash)


@pytest.mark.parametrize(("days", "said"), [(1, "lies in the future"), (-1, "has passed")])
def test_holdings_are_of_the_evening(tmp_path: Path, days: int, said: str) -> None:
    text = f"symbol,shares,date\n000001.SZ,100,{{}}\nCASH,1,{DATE}\n"
    assert read(tmp_path, text.format(str(DATE).replace("-", ""))).cash == 1.0
    with pytest.raises(DataError, match=said) as error:
        read(tmp_path, text.format(DATE + days))
    assert error.value.column == "date"


def test_a_file_of_ours_reads_back_as_it_was(tmp_path: Path) -> None:
    held = random_holdings(np.random.default_rng(3), PANEL, 1e6)
    held.shares[A_AT] = held.sellable[A_AT] = 1000.0 / 3.0
    write_csv(tmp_path / "h.csv", position_columns(held, PANEL.symbols, DATE))
    again = read_holdings(tmp_path / "h.csv", PANEL, DATE, fractions=True)
    for name in ("shares", "sellable", "cost"):
        np.testing.assert_array_equal(getattr(again, name), getattr(held, name))
    assert again.cash == held.cash
    with pytest.raises(DataError, match="no whole number of shares"):
        read_holdings(tmp_path / "h.csv", PANEL, DATE)


def test_a_stock_without_any_price_has_no_value() -> None:
    held = Holdings.of_cash(25, 1.0)
    held.shares[:] = held.sellable[:] = 100.0
    row = int(np.argmax(np.isfinite(PANEL["close"]).any(axis=1)))
    unpriced = np.isnan(PANEL["close"][: row + 1]).all(axis=0)
    assert unpriced.any()
    with pytest.raises(DataError, match="it has no price"):
        held.book(PANEL, row)
