"""Family of the set `alpha` that companies' reports give, as known at each close; what a market can't give is left out.

A flow is that of the trailing year, beside it that of the year up to the same quarter a year, or a quarter, before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from deepfactor.core.arrays import Dates, Float64
from deepfactor.panel.fundamentals import Fundamentals, Quarters, surprise, year_on_year
from deepfactor.panel.panel import Panel

Made = Iterator[tuple[str, Float64]]
_YEAR = 4  # quarters


class _Lacking(Exception):
    """What a feature wants and the market has not."""


class Statements:
    """The reports of a market, each item's changes looked up once for all blocks of days."""

    def __init__(self, panel: Panel) -> None:
        self.reports = panel.fundamentals
        self._known: dict[tuple[str, str], Quarters] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Those that the market can give, in the order of `FEATURES`."""
        if self.reports is None or not len(self.reports.dates):
            return ()
        names, nothing = [], np.full((1, self.reports.stocks), np.nan)
        day = _Day(self, self.reports, self.reports.dates[-1:], nothing)
        for name, make in FEATURES.items():
            try:
                make(day)
            except _Lacking:
                continue
            names.append(name)
        return tuple(names)

    def made(self, dates: Dates, value: Float64 | None) -> Made:
        """The features on `dates` (B,); `value` (B, N) is the total market value in CNY, None = the market has none."""
        if self.reports is None:
            return
        day = _Day(self, self.reports, dates, value)
        for name in self.names:
            if value is not None or name not in PRICED:
                yield name, FEATURES[name](day)

    def trailing(self, flow: str) -> Quarters:
        return self._once("trailing", flow, lambda r: r.trailing_years(flow, 2 * _YEAR + 1))

    def balance(self, item: str) -> Quarters:
        return self._once("balance", item, lambda r: r.quarters(item, _YEAR + 1) if item in r.items else None)

    def changes(self, flow: str) -> Quarters:
        return self._once("changes", flow, lambda r: r.yearly_changes(flow, 9))

    def single(self, flow: str) -> Quarters:
        """Single quarters; trailing years where a market has no quarters."""
        return self._once(
            "single", flow, lambda r: r.single_quarters(flow, _YEAR + 1) or r.trailing_years(flow, _YEAR + 1)
        )

    def _once(self, how: str, item: str, ask: Callable[[Fundamentals], Quarters | None]) -> Quarters:
        assert self.reports is not None, "asked only with reports"
        if (how, item) not in self._known:
            found = ask(self.reports)
            if found is None:
                raise _Lacking(item)
            self._known[how, item] = found
        return self._known[how, item]


class _Day:
    """Figures in force on some days."""

    def __init__(self, statements: Statements, reports: Fundamentals, dates: Dates, value: Float64 | None) -> None:
        self.of, self.value = statements, value
        self.reports = replace(reports, dates=dates)

    def spread(self, at: Quarters, values: Float64) -> Float64:
        return self.reports.spread(at, values).astype(np.float64)

    def flow(self, name: str, quarters_ago: int = 0) -> Float64:
        found = self.of.trailing(name)
        return self.spread(found, found.values[:, quarters_ago])

    def balance(self, item: str, quarters_ago: int = 0) -> Float64:
        found = self.of.balance(item)
        return self.spread(found, found.values[:, quarters_ago])

    def priced(self, figure: Float64) -> Float64:
        assert self.value is not None, "asked only with a market value"
        return _over(figure, self.value)

    def growth(self, flow: str) -> Float64:
        found = self.of.single(flow)
        return self.spread(found, year_on_year(found))

    def yearly(self, flow: str, quarters_ago: int) -> Float64:
        """Growth of the trailing year on the one before."""
        found = self.of.trailing(flow)
        later = replace(found, values=found.values[:, quarters_ago : quarters_ago + _YEAR + 1])
        return self.spread(found, year_on_year(later))

    def share(self, flow: str, item: str, quarters_ago: int = 0) -> Float64:
        return _over(self.flow(flow, quarters_ago), self.balance(item, quarters_ago))

    def margin(self, quarters_ago: int = 0) -> Float64:
        return _over(self.flow("net_profit", quarters_ago), self.flow("revenue", quarters_ago))

    def surprise(self, flow: str) -> Float64:
        found = self.of.changes(flow)
        return self.spread(found, surprise(found))


def _over(above: Float64, below: Float64) -> Float64:
    """NaN where the denominator is not positive."""
    return above / np.where(below > 0, below, np.nan)


def _step(d: _Day, flow: str, back: int) -> Float64:
    return d.flow(flow) - d.flow(flow, back)


#: Those that are divided by a market value.
PRICED = frozenset({"BP", "EP", "SP", "CFP", "EP_change", "SP_change"})
#: In the order of the set.
FEATURES: Mapping[str, Callable[[_Day], Float64]] = {
    "BP": lambda d: d.priced(d.balance("total_equity")),
    "EP": lambda d: d.priced(d.flow("net_profit")),
    "SP": lambda d: d.priced(d.flow("revenue")),
    "CFP": lambda d: d.priced(d.flow("operating_cash_flow")),
    "EP_change": lambda d: d.priced(_step(d, "net_profit", _YEAR)),
    "SP_change": lambda d: d.priced(_step(d, "revenue", _YEAR)),
    "ROE": lambda d: d.share("net_profit", "total_equity"),
    "ROA": lambda d: d.share("net_profit", "total_assets"),
    "margin": lambda d: d.margin(),
    "gross_margin": lambda d: 1 - _over(d.flow("operating_cost"), d.flow("revenue")),
    "asset_turnover": lambda d: d.share("revenue", "total_assets"),
    "equity_turnover": lambda d: d.share("revenue", "total_equity"),
    "leverage": lambda d: _over(d.balance("total_liabilities"), d.balance("total_assets")),
    "accruals": lambda d: _over(d.flow("net_profit") - d.flow("operating_cash_flow"), d.balance("total_assets")),
    "ROE_change": lambda d: d.share("net_profit", "total_equity") - d.share("net_profit", "total_equity", _YEAR),
    "margin_change": lambda d: d.margin() - d.margin(_YEAR),
    "profit_growth": lambda d: d.growth("net_profit"),
    "revenue_growth": lambda d: d.growth("revenue"),
    "equity_growth": lambda d: _over(d.balance("total_equity"), d.balance("total_equity", _YEAR)),
    "profit_step": lambda d: _over(_step(d, "net_profit", 1), d.balance("total_equity")),
    "profit_acceleration": lambda d: d.yearly("net_profit", 0) - d.yearly("net_profit", 1),
    "revenue_acceleration": lambda d: d.yearly("revenue", 0) - d.yearly("revenue", 1),
    "SUE": lambda d: d.surprise("net_profit"),
}
