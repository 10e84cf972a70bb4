"""`Book`: what a portfolio holds, in shares and CNY, and the proof of each day that nothing came from nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deepfactor.core.arrays import Bools, Float64

#: Half a fen: the books must balance to a cent.
TOLERANCE = 0.005


@dataclass
class Book:
    """Holdings of one portfolio over N symbols. Changes only through its methods.

    Attributes
    ----------
    shares : (N,) float64
        ≥ 0. Orders move whole shares; ex-dates leave fractions, which stay until the holding is sold out.
    cash : float
        CNY, whole fen, never negative.
    last : (N,) float64
        last known close in CNY, in today's share terms (divided by the factor's ratio on ex-dates); NaN = never traded.
    locked : (N,) float64
        shares that may not be sold today: bought today (T+1), or frozen at the broker.
    """

    shares: Float64
    cash: float
    last: Float64
    locked: Float64 = field(init=False)

    def __post_init__(self) -> None:
        self.locked = np.zeros_like(self.shares)

    def market_value(self) -> Float64:
        """Value of each holding at the last price, CNY (N,); 0 where nothing is held."""
        return np.where(self.shares > 0, self.shares * self.last, 0.0)

    def value(self) -> float:
        """Net asset value, CNY."""
        return self.cash + float(self.market_value().sum())

    def weights(self) -> Float64:
        """Holdings over net asset value (N,); what is missing to 1 is cash."""
        return self.market_value() / self.value()

    def open_day(self, ratio: Float64) -> None:
        """A new trading day: yesterday's buys can be sold, shares × `ratio` (adj_factor today / yesterday) on ex-dates.

        Cash dividends are in the factor too, so they are reinvested at the ex-date's reference price; dividend tax is
        ignored.
        """
        self.locked = np.zeros_like(self.shares)
        self.shares = self.shares * ratio
        self.last = self.last / ratio

    def buy(self, shares: Float64, amount: Float64, cost: Float64) -> None:
        """Add `shares` (N,) against `amount` + `cost` (N,) CNY."""
        self.shares = self.shares + shares
        self.locked = self.locked + shares
        self._pay(-float((amount + cost).sum()))

    def sell(self, shares: Float64, amount: Float64, cost: Float64) -> None:
        """Take away `shares` (N,), at most what is `sellable`, for `amount` − `cost` (N,) CNY."""
        if (shares > self.sellable()).any():
            raise RuntimeError("a sale of shares that are not held or were bought today")
        self.shares = self.shares - shares
        self._pay(float((amount - cost).sum()))

    def lock(self, shares: Float64) -> None:
        """Keep `shares` (N,), at most what is held, and no others from being sold until the next morning."""
        self.locked = shares

    def copy(self) -> Book:
        """A book of the same holdings that goes its own way."""
        twin = Book(self.shares, self.cash, self.last)
        twin.locked = self.locked
        return twin

    def sellable(self) -> Float64:
        """Shares that may be sold today (N,): all that are not `locked`."""
        return self.shares - self.locked

    def settle(self, gone: Bools, haircut: float) -> tuple[Float64, Float64]:
        """Turn holdings of the delisted (`gone`, (N,)) into cash at last price × (1 − haircut) (Shumway 1997).

        Returns
        -------
        shares, amount : (N,)
            what was settled and its proceeds in CNY.
        """
        if not gone.any():
            return np.zeros_like(self.shares), np.zeros_like(self.shares)
        shares = np.where(gone, self.shares, 0.0)
        amount = np.where(shares > 0, np.round(shares * self.last * (1.0 - haircut), 2), 0.0)
        self.shares = np.where(gone, 0.0, self.shares)
        self._pay(float(amount.sum()))
        return shares, amount

    def mark(self, close: Float64) -> None:
        """Take today's close (N,) as the last price where there was a trade (not NaN); else the last one is carried."""
        self.last = np.where(np.isnan(close), self.last, close)

    def _pay(self, amount: float) -> None:
        self.cash = round(self.cash + amount, 2)
        if self.cash < 0:
            raise RuntimeError(f"cash went below zero: {self.cash:.2f} CNY")


@dataclass(frozen=True)
class DayCheck:
    """The books of one morning, to be compared with those of the evening."""

    shares: Float64
    cash: float
    last: Float64
    value: float

    @classmethod
    def before(cls, book: Book, value: float) -> DayCheck:
        """Remember `book` as it was at the last close, where its net asset value was `value`."""
        return cls(book.shares, book.cash, book.last, value)

    def prove(
        self,
        book: Book,
        ratio: Float64,
        close: Float64,
        bought: Float64,
        sold: Float64,
        paid: Float64,
        received: Float64,
    ) -> float:
        """Compare `book` at today's close with the day's log; its net asset value, CNY.

        Parameters
        ----------
        ratio, close : (N,) the day's factor ratio and close, NaN = no trade
        bought, sold : (N,) shares; delisted holdings count as sold
        paid, received : (N,) CNY, costs included

        Raises
        ------
        RuntimeError
            shares, cash or value don't follow from the log to half a fen.
        """
        held = self.shares * ratio
        if np.abs(held + (bought - sold) - book.shares).max(initial=0.0) > 1e-6:
            raise RuntimeError("the books don't balance: holdings don't follow from the trades")
        flow = float((received - paid).sum())
        cash = self.cash + flow
        before = np.where(np.isnan(self.last), 0.0, self.last)
        price = np.where(np.isnan(close), before / ratio, close)
        carried = float((held * price - self.shares * before).sum())
        traded = flow + float(((bought - sold) * price).sum())
        value, worth = self.value + carried + traded, book.value()
        # Sums of 1e8 CNY are exact to far below a fen; larger books get the same relative room.
        room = max(TOLERANCE, 1e-13 * abs(value))
        if abs(cash - book.cash) > room or abs(value - worth) > room:
            raise RuntimeError(
                f"the books don't balance: cash {book.cash:.4f} against {cash:.4f} CNY by the log, "
                f"value {worth:.4f} against {value:.4f}"
            )
        return worth
