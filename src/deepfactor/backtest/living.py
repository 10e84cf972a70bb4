"""One trading day of a book, morning to close: ex-dates, settlements, trades, marking, and the proof of the books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.book import Book, DayCheck
from deepfactor.backtest.days import TradingDay
from deepfactor.backtest.fills import Fills
from deepfactor.core.arrays import Float64

#: Changes the book of the day, and says by which fills: (sells, buys).
Trade = Callable[[Book, TradingDay], tuple[Fills, Fills]]


@dataclass(frozen=True)
class Lived:
    """What a day did to a book.

    Attributes
    ----------
    value : net asset value at the close, CNY
    settled, proceeds : (N,) holdings of the delisted and what they brought, shares and CNY
    sells, buys : None on a day without trades
    """

    value: float
    settled: Float64
    proceeds: Float64
    sells: Fills | None = None
    buys: Fills | None = None

    @property
    def cost(self) -> float:
        """Of the day's trades, CNY."""
        if self.sells is None or self.buys is None:
            return 0.0
        return float(self.sells.cost.sum() + self.buys.cost.sum())


def live(book: Book, value: float, day: TradingDay, haircut: float, trade: Trade | None = None) -> Lived:
    """Take `book`, of net asset value `value` at the last close, through `day`.

    Raises
    ------
    RuntimeError
        the books don't balance to a cent: a fault of ours.
    """
    check = DayCheck.before(book, value)
    book.open_day(day.ratio)
    settled, proceeds = book.settle(~day.listed & (book.shares > 0), haircut)
    bought, sold = np.zeros_like(settled), settled
    paid, received = np.zeros_like(settled), proceeds
    sells = buys = None
    if trade is not None:
        sells, buys = trade(book, day)
        bought, sold = buys.shares, sold + sells.shares
        paid, received = buys.amount + buys.cost, received + sells.amount - sells.cost
    book.mark(day.close)
    value = check.prove(book, day.ratio, day.close, bought, sold, paid, received)
    return Lived(value, settled, proceeds, sells, buys)
