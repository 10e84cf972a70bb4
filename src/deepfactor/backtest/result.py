"""What a backtest leaves: frozen columns that a table or a page can take as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import numpy as np

from deepfactor.backtest.span import Cut
from deepfactor.core.arrays import AnyArray, Bools, Dates, Float64, Ints, Strings, Symbols
from deepfactor.panel.weighting import WeightsUsed


@dataclass(frozen=True)
class Columns:
    """Base of a result table: each field is a column, all of one length."""

    #: numpy type of each column.
    kinds: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def stack(cls, blocks: Iterable[Sequence[AnyArray]]) -> Self:
        """Blocks of columns (each in the fields' order) one under the other."""
        empty = tuple(np.array([], dtype=kind) for kind in cls.kinds)
        return cls(*(np.concatenate(column) for column in zip(empty, *blocks, strict=True)))

    def columns(self) -> dict[str, AnyArray]:
        """Column name → array, in the public order."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))


@dataclass(frozen=True)
class Trades(Columns):
    """Fills and settlements. `shares` ≥ 0, `price` CNY a share, `cost` CNY; `reason` "rebalance" or "delisting"."""

    kinds = ("datetime64[D]", "U1", "U1", "f8", "f8", "f8", "U1")

    date: Dates
    symbol: Symbols
    side: Strings
    shares: Float64
    price: Float64
    cost: Float64
    reason: Strings


@dataclass(frozen=True)
class Rejected(Columns):
    """Shares of an order that were not filled, and why (see `fills.Reason`)."""

    kinds = ("datetime64[D]", "U1", "U1", "f8", "U1")

    date: Dates
    symbol: Symbols
    side: Strings
    shares: Float64
    reason: Strings


@dataclass(frozen=True)
class RebalanceWeights(Columns):
    """Weights of each rebalance, `date` = signal day; names with none of them are left out.

    `weight` is the optimiser's target, `realised_weight` the book's at the close of the fill day (NaN where the data
    end before it), `benchmark_weight` and `drifted_weight` (the book's before) those at the close of the signal day.
    """

    kinds = ("datetime64[D]", "U1", "f8", "f8", "f8", "f8")

    date: Dates
    symbol: Symbols
    weight: Float64
    realised_weight: Float64
    benchmark_weight: Float64
    drifted_weight: Float64


@dataclass(frozen=True)
class RelaxedBounds(Columns):
    """Bounds that a rebalance could not keep: `bound` was asked, `value` came out, `reason` as in `Relaxation`."""

    kinds = ("datetime64[D]", "U1", "U1", "f8", "f8", "U1")

    date: Dates
    constraint: Strings
    row: Strings
    bound: Float64
    value: Float64
    reason: Strings


@dataclass(frozen=True)
class BindingBounds(Columns):
    """Bounds that a target touches at a price: `shadow_price` = change of the objective per unit that `bound` rises."""

    kinds = ("datetime64[D]", "U1", "U1", "f8", "f8")

    date: Dates
    constraint: Strings
    row: Strings
    bound: Float64
    shadow_price: Float64


@dataclass(frozen=True)
class Rebalances(Columns):
    """One row a rebalance.

    `bought` and `sold` are amounts over the signal day's net asset value (NaN where the data end before the fill):
    their sum is the two-sided turnover, half of it the one-sided. `first` = from cash. `names` in the problem,
    `held` in the target, `frozen` not tradeable at the signal's close; `objective` the optimiser's.
    """

    kinds = ("datetime64[D]", "datetime64[D]", "?", "i8", "i8", "i8", "f8", "f8", "f8", "f8")

    date: Dates
    fill_date: Dates
    first: Bools
    names: Ints
    held: Ints
    frozen: Ints
    objective: Float64
    bought: Float64
    sold: Float64
    cost: Float64


@dataclass(frozen=True)
class BacktestResult:
    """A backtest from its first signal day to its end, one row a trading day (D).

    Every NAV starts at 1 on the first signal day, before the first trade. The benchmarks are entered at the close of
    the first fill day, when the portfolio is invested, and stand at 1 until then.

    Attributes
    ----------
    index : str
    capital : float
        CNY.
    dates : (D,)
    nav, gross_nav : (D,)
        portfolio after costs; `gross_nav` chains the daily returns with the day's costs given back.
    cash, cost : (D,)
        CNY: cash at the close; costs of the day.
    benchmark_nav : (D,) or None
        the published price index; None where the market has no levels of it.
    total_return_nav : (D,) or None
        the published total-return index.
    replica_nav : (D,)
        the benchmark weights that the optimiser saw, known the day before, with dividends (adjustment factor).
    replica_weights : how the benchmark weights of the span were made.
    trades, rejected, weights, relaxations, binding, rebalances
        see their types.
    counts : mapping of name to int
        ``delisted``: holdings settled; ``carried_days``: holding-days valued at an older close; ``carried_at_end``:
        holdings without a trade on the last day; ``unscored_signal_days``: signal days passed over for want of scores;
        ``missing_exposures.<style>``: exposures filled in (regression), ``median_exposures.<style>``: by the median;
        ``days_without_total_return_level``: why there is no `total_return_nav`.
    cuts : where the index ends before the scores do, or begins after them
    """

    index: str
    capital: float
    dates: Dates
    nav: Float64
    gross_nav: Float64
    cash: Float64
    cost: Float64
    benchmark_nav: Float64 | None
    total_return_nav: Float64 | None
    replica_nav: Float64
    replica_weights: WeightsUsed
    trades: Trades
    rejected: Rejected
    weights: RebalanceWeights
    relaxations: RelaxedBounds
    binding: BindingBounds
    rebalances: Rebalances
    counts: Mapping[str, int]
    cuts: tuple[Cut, ...] = ()

    @property
    def headline_nav(self) -> Float64:
        """The benchmark that the headline numbers are against: the price index, or the replica where there is none."""
        return self.replica_nav if self.benchmark_nav is None else self.benchmark_nav

    @property
    def excess_nav(self) -> Float64:
        """(D,) ratio of `nav` to the headline benchmark's."""
        return self.nav / self.headline_nav
