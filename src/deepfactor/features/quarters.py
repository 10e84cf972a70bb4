"""The last quarters of a company's reports, as known on each day: what a network on fundamentals reads (Study A).

Kept at the changes alone: between two of them nothing was published, so a day only points at the last one. Items are
the study's fundamentals as far as a market has their figures (the choice of the thirteen is ours):

===============  ============================================================================================
BP EP SP CFP     equity, and trailing profit, revenue, operating cash flow, ÷ the day's total market value
ROE ROA          trailing profit ÷ equity (NaN unless positive), ÷ assets
GROSS_MARGIN     1 − trailing operating cost ÷ trailing revenue
ASSET_TURNOVER   trailing revenue ÷ assets
LEVERAGE         liabilities ÷ assets
REVENUE_YOY      change on the year before ÷ its absolute value, of the single quarter (of the trailing year where a
PROFIT_YOY       market has no quarters)
SUE              standardised unexpected profit, `panel.fundamentals.surprise`
ACCRUALS         (trailing profit − trailing operating cash flow) ÷ assets
===============  ============================================================================================

All 12 quarters of a price ratio are divided by today's market value: they say how the figure went, in today's price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self, get_args

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Bools, Float32, Float64, Indices, Int32, Ints
from deepfactor.core.errors import DataError
from deepfactor.core.spec import ONCE, Spec
from deepfactor.core.words import Sentence
from deepfactor.panel.fundamentals import NO_QUARTER, Fundamentals, Quarters, surprise, year_on_year
from deepfactor.panel.panel import LACKS, Panel

Item = Literal[
    "BP", "EP", "SP", "CFP", "ROE", "ROA", "GROSS_MARGIN", "ASSET_TURNOVER", "LEVERAGE", "REVENUE_YOY", "PROFIT_YOY",
    "SUE", "ACCRUALS",
]  # fmt: skip
PRICED = frozenset({"BP", "EP", "SP", "CFP"})
_NO_QUARTER = Sentence("its figures belong to no quarter in this market", "该市场中其数值不属于任何季度")
_SURPRISE = 9  # changes that a surprise is made of


class QuarterSettings(Spec):
    """Which items of how many quarters."""

    quarters: int = Field(default=12, ge=1, le=80, description="quarters back, the last that is known included")
    items: Annotated[tuple[Item, ...], ONCE] = Field(
        default=get_args(Item),
        min_length=1,
        description="items of each quarter; one that a market can't give is left out and named",
    )


@dataclass(frozen=True)
class FundamentalQuarters:
    """The last q quarters of k items at M changes, and which change is in force on each day.

    Attributes
    ----------
    names : k items; absent : item -> why this market can't give it
    values : (M + 1, q, k) float32
        oldest quarter first; NaN = missing. Items of `PRICED` are still to be divided by the day's market value. The
        last row is missing altogether.
    loss : (M + 1, q) bool
        the trailing profit was negative, or published as "loss" without a figure.
    change : (T, N) int32
        row of `values` in force at the close of the day; −1 = nothing known yet.
    value : (T, N) float32
        the day's total market value in CNY.
    """

    names: tuple[str, ...]
    absent: Mapping[str, str]
    values: Float32
    loss: Bools
    change: Int32
    value: Float32

    def between(self, rows: slice) -> Self:
        """Some of the days."""
        return replace(self, change=self.change[rows], value=self.value[rows])

    def at(self, t: int, stocks: Indices) -> tuple[Float32, Bools]:
        """Items (q, b, k), oldest quarter first, NaN = missing, and loss flags (q, b) of `stocks` (b,) on day t."""
        rows = self.change[t, stocks]
        x = self.values[rows]  # (b, q, k)
        priced = [k for k, name in enumerate(self.names) if name in PRICED]
        if priced:
            value = self.value[t, stocks]
            x[:, :, priced] /= np.where(value > 0, value, np.float32(np.nan))[:, None, None]
        return x.transpose(1, 0, 2), self.loss[rows].T


class _Lacking(Exception):
    """What an item wants and the market has not."""


def fundamental_quarters(settings: QuarterSettings, panel: Panel) -> FundamentalQuarters:
    """Build the arrays.

    Raises
    ------
    DataError
        a market without reports or market values, or that can give none of the items.
    """
    reports = panel.fundamentals
    if reports is None or "total_mv" not in panel.fields:
        raise DataError("a network on fundamentals needs the market's company reports and total_mv: ingest them")
    figures = _Figures(reports, settings.quarters)
    made: dict[str, Float64] = {}
    absent: dict[str, str] = {}
    for name in settings.items:
        try:
            made[name] = _ITEMS[name](figures)
        except _Lacking as reason:
            absent[name] = str(reason)
    if not made:
        raise DataError(f"this market can give none of the items: {'; '.join(sorted(set(absent.values())))}")
    return FundamentalQuarters(
        names=tuple(made),
        absent=absent,
        values=_oldest_first(np.stack(list(made.values()), axis=-1), np.nan).astype(np.float32),
        loss=_oldest_first(figures.loss(), 0.0) > 0,
        change=figures.changes(),
        value=np.asarray(panel["total_mv"], np.float32),
    )


def _oldest_first(x: Float64, nothing: float) -> Float64:
    """(M, q, …) turned round, with a last row of nothing for the days before any report."""
    return np.concatenate([x[:, ::-1], np.full((1, *x.shape[1:]), nothing)])


class _Figures:
    """A market's figures, all at the same changes and the same quarters: (M, q), newest first."""

    def __init__(self, reports: Fundamentals, quarters: int) -> None:
        self.reports, self.n = reports, quarters
        items = [events for name, events in reports.items.items() if name != "total_shares"]
        if not items:
            raise DataError("the market's reports have no item")
        stamps = np.concatenate([_stamp(events.column, events.known) for events in items])
        self.stamps = np.unique(stamps)
        self.newest = np.zeros(len(self.stamps), np.int64)
        for events in items:  # the newest quarter that any item knows
            order = np.lexsort((events.known, events.column))
            own = _stamp(events.column[order], events.known[order])
            newest = np.maximum.accumulate(events.column[order] * 2**20 + events.quarter[order]) % 2**20
            at, there = self._last(own)
            self.newest = np.maximum(self.newest, np.where(there, newest[at], 0))
        self._known: dict[str, Float64] = {}

    def _last(self, own: Ints) -> tuple[Indices, Bools]:
        """Place of the last of the sorted stamps `own` up to each change, and whether there is one of the stock."""
        at = np.searchsorted(own, self.stamps, side="right") - 1
        there = (at >= 0) & (own[np.maximum(at, 0)] >> 32 == self.stamps >> 32)
        return np.maximum(at, 0), there

    def aligned(self, quarters: Quarters, values: Float64) -> Float64:
        """`values` (m, q) of an item's own changes at all changes, shifted to the common newest quarter.

        A figure without a period has no place among quarters.
        """
        if (quarters.latest == NO_QUARTER).any():
            raise _Lacking(str(_NO_QUARTER))
        at, there = self._last(_stamp(quarters.column, quarters.known))
        late = self.newest - quarters.latest[at]  # quarters that this item is behind
        place = np.arange(self.n) - late[:, None]
        inside = there[:, None] & (place >= 0)
        return np.where(inside, np.take_along_axis(values[at], np.clip(place, 0, self.n - 1), axis=1), np.nan)

    def balance(self, item: str) -> Float64:
        """A figure at the quarters' ends."""
        if item not in self.reports.items:
            raise _Lacking(LACKS.format(what=item))
        return self._once(item, lambda: self.reports.quarters(item, self.n))

    def trailing(self, flow: str) -> Float64:
        """The four quarters up to each."""
        return self._once(f"{flow} trailing", lambda: self._having(self.reports.trailing_years(flow, self.n), flow))

    def growth(self, flow: str) -> Float64:
        """Year on year."""
        quarters = self.reports.single_quarters(flow, self.n + 4)
        if quarters is None:
            quarters = self._having(self.reports.trailing_years(flow, self.n + 4), flow)
        return self.aligned(quarters, self._each(quarters, year_on_year, 5))

    def surprise(self, flow: str) -> Float64:
        """SUE of each quarter."""
        changes = self._having(self.reports.yearly_changes(flow, self.n + _SURPRISE - 1), flow)
        return self.aligned(changes, self._each(changes, surprise, _SURPRISE))

    def loss(self) -> Float64:
        """1 where a loss was made, by the figure or by the vendor's flag, which stands until the next one."""
        flags = np.zeros((len(self.stamps), self.n))
        for item in self.reports.items:
            if item.startswith("net_profit") and item.endswith("_ttm_loss"):
                flags = self.balance(item).copy()
                for j in range(self.n - 2, -1, -1):  # the older quarter's where there is no new one
                    flags[:, j] = np.where(np.isnan(flags[:, j]), flags[:, j + 1], flags[:, j])
        try:
            return np.maximum(flags > 0, self.trailing("net_profit") < 0).astype(np.float64)
        except _Lacking:
            return flags

    def changes(self) -> Int32:
        """(T, N) the change in force at each close."""
        days = self.reports.dates.astype("datetime64[D]").astype(np.int64)
        index = np.full((len(days), self.reports.stocks), -1, np.int32)
        row = np.searchsorted(days, self.stamps & 0xFFFFFFFF, side="left")
        inside = np.flatnonzero(row < len(days))
        index[row[inside], self.stamps[inside] >> 32] = inside  # by stock and day, so the last of a row stands
        return np.maximum.accumulate(index, axis=0, out=index)

    def _each(self, quarters: Quarters, describe: Callable[[Quarters], Float64], width: int) -> Float64:
        """`describe` of every run of `width` quarters."""
        runs = [replace(quarters, values=quarters.values[:, j : j + width]) for j in range(self.n)]
        return np.stack([describe(run) for run in runs], axis=1)

    def _once(self, name: str, make: Callable[[], Quarters]) -> Float64:
        if name not in self._known:
            quarters = make()
            self._known[name] = self.aligned(quarters, quarters.values)
        return self._known[name]

    @staticmethod
    def _having(quarters: Quarters | None, flow: str) -> Quarters:
        if quarters is None:
            raise _Lacking(LACKS.format(what=flow))
        return quarters


def _stamp(column: Ints, known: Ints) -> Ints:
    """Stock and day as one number that sorts by the stock, then the day; days since 1970 are not negative."""
    return (column.astype(np.int64) << 32) + known


def _over(above: Float64, below: Float64) -> Float64:
    """NaN where the denominator is not positive."""
    usable = below > 0
    return np.where(usable, above / np.where(usable, below, 1.0), np.nan)


_ITEMS: Mapping[str, Callable[[_Figures], Float64]] = {
    "BP": lambda f: f.balance("total_equity"),
    "EP": lambda f: f.trailing("net_profit"),
    "SP": lambda f: f.trailing("revenue"),
    "CFP": lambda f: f.trailing("operating_cash_flow"),
    "ROE": lambda f: _over(f.trailing("net_profit"), f.balance("total_equity")),
    "ROA": lambda f: _over(f.trailing("net_profit"), f.balance("total_assets")),
    "GROSS_MARGIN": lambda f: 1 - _over(f.trailing("operating_cost"), f.trailing("revenue")),
    "ASSET_TURNOVER": lambda f: _over(f.trailing("revenue"), f.balance("total_assets")),
    "LEVERAGE": lambda f: _over(f.balance("total_liabilities"), f.balance("total_assets")),
    "REVENUE_YOY": lambda f: f.growth("revenue"),
    "PROFIT_YOY": lambda f: f.growth("net_profit"),
    "SUE": lambda f: f.surprise("net_profit"),
    "ACCRUALS": lambda f: _over(
        f.trailing("net_profit") - f.trailing("operating_cash_flow"), f.balance("total_assets")
    ),
}
