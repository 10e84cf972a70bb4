"""Orders on one day, by hand: T+1, odd lots, cash; and target weights to orders."""

from __future__ import annotations

import numpy as np
import pytest

from deepfactor.backtest.book import Book, DayCheck
from deepfactor.backtest.days import TradingDay
from deepfactor.backtest.fills import execute
from deepfactor.backtest.signals import orders
from deepfactor.market.boards import boards_of
from deepfactor.market.fees import Costs

BOARDS = boards_of(["600000.SH", "600001.SH"])
FREE, SCHEDULE = Costs(rate=0.0), Costs(kind="schedule")


def a_day(price: float = 10.0) -> TradingDay:
    yes, prices = np.ones(2, dtype=bool), np.full(2, price)
    return TradingDay(0, np.datetime64("2020-01-02"), np.ones(2), prices, prices, yes, yes, yes, yes, yes)


def a_book(shares: list[float], cash: float, price: float = 10.0) -> Book:
    return Book(np.array(shares), cash, np.full(2, price))


def test_bought_today_is_sold_tomorrow() -> None:
    book, day = a_book([500.0, 0.0], 10_000.0), a_day()
    execute(book, np.array([300.0, 0.0]), day, BOARDS, FREE)
    sells, _ = execute(book, np.array([-800.0, 0.0]), day, BOARDS, FREE)
    assert sells.shares.tolist() == [500.0, 0.0]
    assert sells.rejected["t_plus_1"].tolist() == [300.0, 0.0]
    book.open_day(np.ones(2))
    sells, _ = execute(book, np.array([-800.0, 0.0]), day, BOARDS, FREE)
    assert sells.shares.tolist() == [300.0, 0.0]
    assert book.cash == 15_000.0


def test_the_book_itself_refuses_what_it_can_not_sell() -> None:
    book = a_book([0.0, 0.0], 10_000.0)
    book.buy(np.array([100.0, 0.0]), np.array([1000.0, 0.0]), np.zeros(2))
    with pytest.raises(RuntimeError, match="bought today"):
        book.sell(np.array([100.0, 0.0]), np.array([1000.0, 0.0]), np.zeros(2))
    with pytest.raises(RuntimeError, match="below zero"):
        book.buy(np.array([1000.0, 0.0]), np.array([10_000.0, 0.0]), np.zeros(2))


def test_proceeds_pay_for_the_days_buys() -> None:
    book = a_book([1000.0, 0.0], 0.0)
    _, buys = execute(book, np.array([-1000.0, 1000.0]), a_day(), BOARDS, FREE)
    assert buys.shares.tolist() == [0.0, 1000.0]
    assert book.cash == 0.0


def test_an_odd_lot_that_costs_more_than_it_brings_stays() -> None:
    book = a_book([1.0, 100.0], 0.0, price=2.0)
    sells, _ = execute(book, np.array([-1.0, -100.0]), a_day(2.0), BOARDS, SCHEDULE)
    assert sells.shares.tolist() == [0.0, 100.0]
    assert sells.rejected["cash"].tolist() == [1.0, 0.0]


def test_short_cash_scales_all_buys_alike() -> None:
    book = a_book([0.0, 0.0], 30_000.0)
    _, buys = execute(book, np.array([4000.0, 2000.0]), a_day(), BOARDS, FREE)
    assert buys.shares.tolist() == [2000.0, 1000.0]
    assert buys.rejected["cash"].tolist() == [2000.0, 1000.0]


def test_orders_lead_to_the_target() -> None:
    book = a_book([1000.0, 500.37], 5_000.0)
    value = book.value()
    got = orders(book, np.array([0, 1]), np.array([0.8, 0.0]))
    assert got.tolist() == [0.8 * value / 10 - 1000.0, -500.37]


@pytest.mark.parametrize("zero", [0.0, 1e-12, -1e-12])
def test_the_solvers_zero_sells_out(zero: float) -> None:
    book = a_book([0.5, 500.37], 1e9)
    assert orders(book, np.array([0, 1]), np.array([zero, zero])).tolist() == [-0.5, -500.37]


def test_less_than_a_share_is_no_order() -> None:
    book = a_book([1000.0, 0.0], 0.0)
    assert orders(book, np.array([0, 1]), np.array([0.9999, 0.00005])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("wrong", [[0.7, 0.7], [-0.1, 0.5], [np.nan, 0.5]])
def test_weights_that_are_no_portfolio_are_a_fault(wrong: list[float]) -> None:
    with pytest.raises(RuntimeError, match="no portfolio"):
        orders(a_book([0.0, 0.0], 1e6), np.array([0, 1]), np.array(wrong))


def test_a_target_without_a_price_is_a_fault() -> None:
    book = Book(np.zeros(2), 1e6, np.array([10.0, np.nan]))
    with pytest.raises(RuntimeError, match="never traded"):
        orders(book, np.array([0, 1]), np.array([0.5, 0.5]))


@pytest.mark.parametrize(
    "tamper",
    [
        lambda book: setattr(book, "cash", book.cash + 0.01),
        lambda book: setattr(book, "shares", book.shares + 0.01),
        lambda book: setattr(book, "last", book.last * 2),
    ],
)
def test_the_proof_sees_a_cent_and_a_share(tamper: object) -> None:
    book, ratio, none = a_book([1000.0, 500.0], 5_000.0), np.array([1.0, 2.0]), np.zeros(2)
    check = DayCheck.before(book, book.value())
    book.open_day(ratio)
    sells, buys = execute(book, np.array([-500.0, 300.0]), a_day(), BOARDS, SCHEDULE)
    day = (ratio, none + 10.0, buys.shares, sells.shares, buys.amount + buys.cost, sells.amount - sells.cost)
    book.mark(none + 10.0)
    check.prove(book, *day)
    with pytest.raises(RuntimeError, match="don't balance"):
        check.prove(book, ratio, none + 10.0, none, none, none, none)
    tamper(book)  # type: ignore[operator]
    with pytest.raises(RuntimeError, match="don't balance"):
        check.prove(book, *day)
