"""The loop's notes, day by day, and their frozen columns at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from deepfactor.backtest.book import Book
from deepfactor.backtest.days import TradingDay
from deepfactor.backtest.decision import Decision
from deepfactor.backtest.fills import Fills
from deepfactor.backtest.result import BindingBounds, Rebalances, RebalanceWeights, Rejected, RelaxedBounds, Trades
from deepfactor.backtest.signals import Signal
from deepfactor.core.arrays import AnyArray, Float64, Indices, Symbols


@dataclass
class Pending:
    """A rebalance that waits for its fill: `orders` (N,) in shares, and where it stands in the log."""

    orders: Float64
    signal: Signal
    position: int
    value: float


@dataclass
class Log:
    """Lists of column blocks; nothing in it is read back by the loop."""

    symbols: Symbols
    trades: list[tuple[AnyArray, ...]] = field(default_factory=list)
    rejected: list[tuple[AnyArray, ...]] = field(default_factory=list)
    weights: list[dict[str, AnyArray]] = field(default_factory=list)
    relaxations: list[tuple[AnyArray, ...]] = field(default_factory=list)
    binding: list[tuple[AnyArray, ...]] = field(default_factory=list)
    rebalances: list[dict[str, object]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def fill(self, day: TradingDay, side: str, fills: Fills) -> None:
        """Note one side's fills and rejections."""
        at = np.flatnonzero(fills.shares)
        self.trades.append(
            self._block(day, at, side, fills.shares[at], day.price[at], fills.cost[at], np.full(len(at), "rebalance"))
        )
        for reason, shares in fills.rejected.items():
            at = np.flatnonzero(shares)
            self.rejected.append(self._block(day, at, side, shares[at], np.full(len(at), reason)))

    def settle(self, day: TradingDay, shares: Float64, amount: Float64) -> None:
        """Note holdings of the delisted that were settled."""
        at = np.flatnonzero(shares)
        if len(at):
            price = amount[at] / shares[at]
            reason = np.full(len(at), "delisting")
            self.trades.append(self._block(day, at, "sell", shares[at], price, np.zeros(len(at)), reason))
            self.counts["delisted"] += len(at)

    def rebalance(self, day: TradingDay, decision: Decision, book: Book) -> Pending:
        """Note a signal day's problem and answer; the fill is added later by `filled`."""
        signal, target = decision.signal, decision.target
        problem = signal.problem
        self.counts.update(signal.counts)
        relaxed = [(r.constraint, r.row, r.bound, r.value, r.reason) for r in target.relaxations]
        self.relaxations += _dated(day, relaxed)
        self.binding += _dated(day, [(b.constraint, b.row, b.bound, b.shadow_price) for b in target.binding])
        self.weights.append(
            {
                "names": signal.names,
                "date": np.full(len(signal.names), day.date),
                "weight": np.asarray(target.weights, dtype=np.float64),
                "realised_weight": np.full(len(signal.names), np.nan),
                "benchmark_weight": problem.benchmark,
                "drifted_weight": problem.previous,
            }
        )
        self.rebalances.append(
            {
                "date": day.date,
                "fill_date": np.datetime64("NaT", "D"),
                "first": problem.first,
                "names": len(signal.names),
                "held": int((target.weights > 0).sum()),
                "frozen": int(problem.frozen.sum()),
                "objective": float(target.objective),
                "bought": np.nan,
                "sold": np.nan,
                "cost": np.nan,
            }
        )
        return Pending(decision.orders, signal, len(self.rebalances) - 1, book.value())

    def filled(self, pending: Pending, day: TradingDay, sells: Fills, buys: Fills, book: Book) -> None:
        """Add to a noted rebalance what its fill made of it, at the close of the fill day."""
        row = self.rebalances[pending.position]
        row["fill_date"] = day.date
        row["bought"] = float(buys.amount.sum()) / pending.value
        row["sold"] = float(sells.amount.sum()) / pending.value
        row["cost"] = float(buys.cost.sum() + sells.cost.sum())
        self.weights[pending.position]["realised_weight"] = book.weights()[pending.signal.names]

    def _block(self, day: TradingDay, at: Indices, side: str, *columns: AnyArray) -> tuple[AnyArray, ...]:
        return (np.full(len(at), day.date), self.symbols[at], np.full(len(at), side), *columns)

    def trades_table(self) -> Trades:
        """All trades, in time order, sells before buys."""
        return Trades.stack(self.trades)

    def rejected_table(self) -> Rejected:
        """All rejections, in time order."""
        return Rejected.stack(self.rejected)

    def relaxations_table(self) -> RelaxedBounds:
        """All relaxed bounds, in time order."""
        return RelaxedBounds.stack(self.relaxations)

    def binding_table(self) -> BindingBounds:
        """All binding bounds, in time order."""
        return BindingBounds.stack(self.binding)

    def rebalances_table(self) -> Rebalances:
        """One row a rebalance."""
        columns = zip(*(row.values() for row in self.rebalances), strict=True)
        return Rebalances(
            *(np.array(column, dtype=kind) for column, kind in zip(columns, Rebalances.kinds, strict=True))
        )

    def weights_table(self) -> RebalanceWeights:
        """Target, realised, benchmark and drifted weights, names with none of them left out."""
        names = ("weight", "realised_weight", "benchmark_weight", "drifted_weight")
        blocks = []
        for block in self.weights:
            weights = [block[name] for name in names]
            at = np.flatnonzero((np.nan_to_num(weights) != 0).any(axis=0))
            blocks.append((block["date"][at], self.symbols[block["names"][at]], *(w[at] for w in weights)))
        return RebalanceWeights.stack(blocks)


def _dated(day: TradingDay, rows: Sequence[tuple[object, ...]]) -> list[tuple[AnyArray, ...]]:
    """Rows of a day as a block of columns behind its date; none where there are none."""
    if not rows:
        return []
    return [(np.full(len(rows), day.date), *(np.array(column) for column in zip(*rows, strict=True)))]
