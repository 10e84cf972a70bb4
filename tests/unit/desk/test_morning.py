"""The morning's prices, and what they leave of the evening's orders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepfactor.backtest.book import Book
from deepfactor.core.errors import DataError
from deepfactor.desk.morning import Checked, Quotes, check_orders, read_quotes
from deepfactor.market.fees import Costs
from support.desk import desk_market, written

PANEL, _ = desk_market()
DATE = np.datetime64("2024-01-08")
SYMBOLS = PANEL.symbols
A, B, C, STAR = (int(np.searchsorted(SYMBOLS, one)) for one in ("000001.SZ", "000002.SZ", "600001.SH", "688001.SH"))


def evening() -> tuple[np.ndarray, Book, Quotes]:
    """Sell out an odd lot of A, sell 300 of B, buy 1000 of C and 201 of a STAR stock; all at 10 CNY."""
    orders, shares = np.zeros(25), np.zeros(25)
    shares[[A, B]] = 150, 1000
    orders[[A, B, C, STAR]] = -150, -300, 1000, 201
    book = Book(shares, 20_000.0, np.full(25, 10.0))
    return orders, book, Quotes.of_evening(book.last)


def check(orders: np.ndarray, book: Book, quotes: Quotes, offset: float = 0.0) -> Checked:
    return check_orders(orders, book, quotes, Costs(rate=0.001), DATE, SYMBOLS, offset)


def limits(quotes: Quotes, **changes: tuple[int, float]) -> Quotes:
    """`quotes` with limits of ±10 %, and the value of one stock changed a field."""
    quotes = replace(quotes, limit_up=quotes.reference * 1.1, limit_down=quotes.reference * 0.9)
    columns = {name: getattr(quotes, name).copy() for name in changes}
    for name, (at, value) in changes.items():
        columns[name][at] = value
    return replace(quotes, **columns)


def said(checked: Checked) -> list[tuple[str, str, float, float, str]]:
    return list(zip(*(column.tolist() for column in checked.changed.columns().values()), strict=True))


def test_a_morning_as_expected_changes_nothing() -> None:
    orders, book, quotes = evening()
    checked = check(orders, book, quotes)
    np.testing.assert_array_equal(checked.orders, orders)
    assert len(checked.changed) == 0
    assert checked.price[[A, B, C, STAR]].tolist() == [10.0] * 4
    assert np.isnan(checked.price).sum() == 21
    np.testing.assert_array_equal(check(orders, book, limits(quotes)).orders, orders)


@pytest.mark.parametrize(
    ("field", "at", "value", "expected"),
    [
        ("suspended", C, True, ("600001.SH", "buy", 1000.0, 0.0, "suspended")),
        ("suspended", A, True, ("000001.SZ", "sell", 150.0, 0.0, "suspended")),
        ("price", C, 11.0, ("600001.SH", "buy", 1000.0, 0.0, "limit_up")),
        ("price", B, 9.0, ("000002.SZ", "sell", 300.0, 0.0, "limit_down")),
        ("price", C, np.nan, ("600001.SH", "buy", 1000.0, 0.0, "no_price")),
    ],
)
def test_what_cannot_be_done_is_taken_out(field: str, at: int, value: float, expected: tuple[object, ...]) -> None:
    orders, book, quotes = evening()
    assert said(check(orders, book, limits(quotes, **{field: (at, value)}))) == [expected]


def test_a_limit_holds_its_own_side_alone() -> None:
    orders, book, quotes = evening()
    assert said(check(orders, book, limits(quotes, price=(B, 11.0)))) == []
    assert said(check(orders, book, limits(quotes, price=(C, 9.0)))) == []


def test_a_buy_keeps_its_amount_over_an_ex_date_and_a_sale_its_shares() -> None:
    orders, book, quotes = evening()
    half = {"reference": (C, 5.0), "price": (C, 5.0), "limit_up": (C, 5.5), "limit_down": (C, 4.5)}
    assert said(check(orders, book, limits(quotes, **half))) == [("600001.SH", "buy", 1000.0, 2000.0, "ex_date")]
    half = {name: (B, value) for name, (_, value) in half.items()}
    assert said(check(orders, book, limits(quotes, **half))) == []


def test_buys_shrink_where_cash_does_not_reach() -> None:
    orders, book, quotes = evening()
    poor = Book(book.shares, 3_000.0, book.last)
    checked = check(orders, poor, quotes)
    assert {reason for *_, reason in said(checked)} == {"cash"}
    bought = checked.orders[checked.orders > 0] @ np.full(2, 10.0) if (checked.orders > 0).sum() == 2 else None
    spent = 10.0 * np.maximum(checked.orders, 0).sum() if bought is None else bought
    assert spent * 1.001 <= 3_000.0 + 4_500.0 * 0.999


def test_prices_keep_away_by_the_offset_within_the_limits() -> None:
    orders, book, quotes = evening()
    checked = check(orders, book, limits(quotes, limit_up=(C, 10.1)), offset=0.02)
    assert checked.price[[A, B, C, STAR]].tolist() == [9.8, 9.8, 10.1, 10.2]


@pytest.mark.parametrize(
    "text",
    [
        "symbol,pre_close,limit_up,limit_down,suspended\n000001.SZ,10,11,9,0\n600001.SH,0,0,0,1\n",
        "证券代码,昨收,涨停价,跌停价,停牌\n000001,10,11,9,否\n600001,,,,是\n",
    ],
)
def test_forms_of_the_mornings_prices(tmp_path: Path, text: str) -> None:
    quotes = read_quotes(written(tmp_path / "m.csv", text, "gbk"), PANEL, "2024-01-08")
    assert (quotes.reference[A], quotes.price[A], quotes.limit_up[A], quotes.limit_down[A]) == (10, 10, 11, 9)
    assert quotes.suspended[C]
    assert not quotes.suspended[A]
    assert np.isnan(quotes.price[B])


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        ("000001.SZ,0,11,9,0,10,2024-01-08", "pre_close", "has a reference price"),
        ("000001.SZ,12,11,9,0,10,2024-01-08", "limit_up", "11 leaves out the pre_close of 12"),
        ("000001.SZ,10,11,9,0,8.5,2024-01-08", "limit_down", "9 leaves out the price of 8.5"),
        ("000001.SZ,10,11,9,maybe,10,2024-01-08", "suspended", "neither yes nor no"),
        ("000001.SZ,10,-11,9,0,10,2024-01-08", "limit_up", "negative"),
        ("000001.SZ,10,11,9,0,10,2024-01-05", "date", "the orders are for 2024-01-08"),
        ("600999.SH,10,11,9,0,10,2024-01-08", "symbol", "unknown code"),
    ],
)
def test_wrong_prices_are_named(tmp_path: Path, row: str, column: str, message: str) -> None:
    file = written(tmp_path / "m.csv", f"symbol,pre_close,limit_up,limit_down,suspended,open,date\n{row}\n")
    with pytest.raises(DataError, match=message) as error:
        read_quotes(file, PANEL, "2024-01-08")
    assert error.value.row == 1
    assert error.value.column == {"price": "open"}.get(column, column)
