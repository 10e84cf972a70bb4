"""Orders to fills: suspension, limits, T+1, lots, cash. Sells first, since their proceeds may be spent the same day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay
from deepfactor.core.arrays import Bools, Float64, Int8
from deepfactor.market.fees import Costs, Side
from deepfactor.market.lots import round_buy, round_sell

Reason = Literal["delisted", "suspended", "no_price", "limit_up", "limit_down", "t_plus_1", "lot", "cash"]


@dataclass(frozen=True)
class Fills:
    """What became of one side's orders on a day, arrays (N,).

    Attributes
    ----------
    shares : filled, ≥ 0
    amount, cost : CNY, whole fen
    rejected : reason → shares that were not filled for it, ≥ 0
    """

    shares: Float64
    amount: Float64
    cost: Float64
    rejected: dict[Reason, Float64]


def execute(book: Book, orders: Float64, day: TradingDay, boards: Int8, costs: Costs) -> tuple[Fills, Fills]:
    """Fill `orders` (N,) in shares (> 0 buy, < 0 sell) at ``day.price`` into `book`; (sells, buys).

    An order is filled up to what is allowed, the rest is rejected with its reason and not kept for another day. What a
    round lot cuts off a larger order is no rejection; an order smaller than a lot is (``lot``). When cash doesn't
    reach, all buys are scaled down by one factor, so that the portfolio keeps its shape (``cash``).
    """
    sells = _sell(book, np.maximum(-orders, 0.0), day, boards, costs)
    book.sell(sells.shares, sells.amount, sells.cost)
    buys = _buy(book.cash, np.maximum(orders, 0.0), day, boards, costs)
    book.buy(buys.shares, buys.amount, buys.cost)
    return sells, buys


def _sell(book: Book, wanted: Float64, day: TradingDay, boards: Int8, costs: Costs) -> Fills:
    rejected: dict[Reason, Float64] = {}
    wanted = np.minimum(wanted, book.shares)
    wanted = _reject_blocked(wanted, day, day.can_sell, "limit_down", rejected)
    wanted = _reject(wanted, np.maximum(wanted - book.sellable(), 0.0), "t_plus_1", rejected)
    shares = round_sell(wanted, book.shares, boards)
    _reject(wanted, np.where(shares == 0, wanted, 0.0), "lot", rejected)
    amount, cost = _money(shares, day, "sell", costs)
    # An odd lot whose minimum commission is more than it brings isn't worth an order, and might not be payable.
    shares = _reject(shares, np.where(cost > amount, shares, 0.0), "cash", rejected)
    return Fills(shares, *_money(shares, day, "sell", costs), rejected)


def _buy(cash: float, wanted: Float64, day: TradingDay, boards: Int8, costs: Costs) -> Fills:
    rejected: dict[Reason, Float64] = {}
    wanted = _reject_blocked(wanted, day, day.can_buy, "limit_up", rejected)
    shares = round_buy(wanted, boards)
    wanted = _reject(wanted, np.where(shares == 0, wanted, 0.0), "lot", rejected)
    scale = 1.0
    affordable = shares
    amount, cost = _money(affordable, day, "buy", costs)
    while (total := float((amount + cost).sum())) > cash:
        scale *= min(cash / total, 0.9999)
        affordable = round_buy(wanted * scale, boards)
        amount, cost = _money(affordable, day, "buy", costs)
    _reject(shares, shares - affordable, "cash", rejected)
    return Fills(affordable, amount, cost, rejected)


def _reject_blocked(
    wanted: Float64, day: TradingDay, allowed: Bools, limit: Reason, rejected: dict[Reason, Float64]
) -> Float64:
    """Take out what can't be traded today at all; what remains of `wanted`."""
    wanted = _reject(wanted, np.where(day.listed, 0.0, wanted), "delisted", rejected)
    wanted = _reject(wanted, np.where(day.traded, 0.0, wanted), "suspended", rejected)
    wanted = _reject(wanted, np.where(np.isnan(day.price), wanted, 0.0), "no_price", rejected)
    return _reject(wanted, np.where(allowed, 0.0, wanted), limit, rejected)


def _reject(wanted: Float64, part: Float64, reason: Reason, rejected: dict[Reason, Float64]) -> Float64:
    """Note `part` of `wanted` as rejected; what remains."""
    if part.any():
        rejected[reason] = part
    return wanted - part


def _money(shares: Float64, day: TradingDay, side: Side, costs: Costs) -> tuple[Float64, Float64]:
    """Amount and cost of `shares` at the day's price, each order rounded to fen."""
    amount = np.where(shares > 0, np.round(shares * day.price, 2), 0.0)
    return amount, np.round(costs.cost(amount, side, day.date), 2)
