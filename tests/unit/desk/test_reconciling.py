"""The evening's account over ex-dates, suspensions, delistings and days in between, on a market made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.book import Book
from deepfactor.backtest.fills import Fills
from deepfactor.core.errors import DataError
from deepfactor.desk.holdings import Holdings
from deepfactor.desk.reconciling import DayPrices, Reconciled, evening, fill_table, held_after
from support.portfolio import hand_market

DATES = ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"]
#: Pays 5 % in cash, gives one share for one, stands still, leaves on the third day.
PAYS, SPLITS, PLAIN, LEAVES = "600000.SH", "600001.SH", "600002.SH", "600003.SH"
SYMBOLS = np.array([PAYS, SPLITS, PLAIN, LEAVES])
CLOSE = {PAYS: [10.0, 9.5, 9.5], SPLITS: [10.0, 5.0, 5.0], PLAIN: [10.0] * 3, LEAVES: [10.0, 10.0, np.nan]}
FACTOR = {PAYS: [1.0, 1 / 0.95, 1 / 0.95], SPLITS: [1.0, 2.0, 2.0]}
PANEL, UNIVERSE = hand_market(DATES, CLOSE, factor=FACTOR, delisted={LEAVES: 2})


def book() -> Book:
    return Book(np.full(4, 1000.0), 5000.0, np.full(4, 10.0))


def fills(**shares: tuple[int, float, float]) -> tuple[Fills, Fills]:
    """(sells, buys) from side → (stock, shares, price), each at a cost of 1 CNY."""
    made = []
    for side in ("sell", "buy"):
        columns = np.zeros((3, 4))
        if side in shares:
            at, count, price = shares[side]
            columns[:, at] = count, count * price, 1.0
        made.append(Fills(*columns, {}))
    return made[0], made[1]


def after(own: Book, rows: range, *, reinvested: bool = False, **shares: tuple[int, float, float]) -> Reconciled:
    return evening(own, PANEL, UNIVERSE, rows, *fills(**shares), 0.3, reinvested=reinvested)


def test_a_dividend_is_cash_and_a_split_is_shares() -> None:
    own = book()
    done = after(own, range(1, 2))
    assert own.shares.tolist() == [1000.0, 2000.0, 1000.0, 1000.0]
    assert own.cash == 5500.0
    assert done.dividends == 500.0
    assert done.ex_dates == (PAYS, SPLITS)
    assert done.value == pytest.approx(45_000.0)


def test_reinvested_as_a_backtest_has_it() -> None:
    own = book()
    done = after(own, range(1, 2), reinvested=True)
    assert own.shares[0] == pytest.approx(1000.0 / 0.95)
    assert (own.cash, done.dividends) == (5000.0, 0.0)
    assert done.value == pytest.approx(45_000.0)


def test_fills_and_the_days_after_them() -> None:
    own = book()
    done = after(own, range(1, 3), sell=(2, 300, 10.1), buy=(3, 100, 10.0))
    assert own.shares.tolist() == [1000.0, 2000.0, 700.0, 0.0]
    assert own.cash == 5000 + 500 + 3030 - 1 - 1000 - 1 + 0.7 * 11_000
    assert done.settled == (LEAVES,)
    assert done.date == np.datetime64("2024-01-08")


def test_what_cannot_have_been_filled_is_refused() -> None:
    with pytest.raises(DataError, match=r"1200 600002\.SH were sold, of which 1000 may be sold"):
        after(book(), range(1, 2), sell=(2, 1200, 10.0))
    with pytest.raises(DataError, match=r"spend 501\.00 CNY more than the account has"):
        after(book(), range(1, 2), buy=(2, 600, 10.0))


def test_the_account_goes_on_as_a_position_file() -> None:
    own = book()
    own.lock(np.array([0.0, 0.0, 400.0, 0.0]))
    free, cost = np.array([1000.0, 1000.0, 600.0, 1000.0]), np.array([8.0, 9.0, 9.0, np.nan])
    before = Holdings(own.shares.copy(), free, cost, 5000.0)
    made = after(own, range(1, 2), sell=(3, 1000, 10.0), buy=(2, 100, 10.0))
    held = held_after(made, before, reinvested=False)
    assert held.shares.tolist() == [1000.0, 2000.0, 1100.0, 0.0]
    assert held.sellable.tolist() == [1000.0, 2000.0, 700.0, 0.0]
    assert held.cost[:2].tolist() == [8.0, 4.5]
    assert held.cost[2] == pytest.approx((9000 + 1000 + 1) / 1100)
    assert np.isnan(held.cost[3])


def test_slippage_is_how_much_worse_a_fill_was() -> None:
    orders = np.array([0.0, 0.0, -300.0, 200.0])
    sells, buys = fills(sell=(2, 300, 9.9), buy=(3, 100, 10.5))
    table = fill_table(orders, DayPrices.of(PANEL, 1), sells, buys, SYMBOLS)
    assert table.symbol.tolist() == [PLAIN, LEAVES]
    assert table.slippage_vwap.tolist() == pytest.approx([0.01, 0.05])
    assert table.slippage_close.tolist() == pytest.approx([0.01, 0.05])
    assert table.unfilled.tolist() == [0.0, 100.0]
    assert table.in_range.tolist() == [False, False]
