"""What a company's business looks like at a close: ratios of its last four quarters, of its balance, of its price."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.core.errors import DataError
from deepfactor.panel.fundamentals import Events, Fundamentals, Quarters, year_on_year
from deepfactor.panel.panel import Panel

Ratio = Literal[
    "asset_turnover",
    "gross_margin",
    "leverage",
    "net_margin",
    "roe",
    "equity_turnover",
    "revenue_growth",
    "profit_growth",
    "bp",
    "ep",
    "sp",
    "size",
]
RATIOS: tuple[Ratio, ...] = get_args(Ratio)

#: Quarters looked back: a trailing year and the one before, from years to date.
_QUARTERS = 12


class _Lacking(Exception):
    """What a ratio wants and the market has not."""


class Close:
    """The companies of a market as known at the close of a row."""

    def __init__(self, panel: Panel, row: int) -> None:
        if panel.fundamentals is None:
            raise DataError("a graph of fundamentals needs fundamentals: this market has none")
        self.panel, self.row = panel, row
        self.reports = snapshot(panel.fundamentals, row)

    def trailing(self, flow: str) -> Float64:
        """(N,) sum of the last four quarters."""
        return self._last(flow, self.reports.trailing_years(flow, 1), lambda years: years.values[:, 0])

    def growth(self, flow: str) -> Float64:
        """(N,) change of the last four quarters' sum over a year, the base in absolute value."""
        return self._last(flow, self.reports.trailing_years(flow, 5), year_on_year)

    def balance(self, item: str) -> Float64:
        """(N,) of the newest balance sheet."""
        if item not in self.reports.items:
            raise _Lacking(item)
        return self._last(item, self.reports.quarters(item, 1), lambda last: last.values[:, 0])

    def value(self) -> Float64:
        """(N,) total market value."""
        if "total_mv" not in self.panel.fields:
            raise _Lacking("total_mv")
        value: Float64 = self.panel["total_mv"][self.row].astype(np.float64)
        return value

    def _last(self, item: str, quarters: Quarters | None, of: Callable[[Quarters], Float64]) -> Float64:
        if quarters is None:
            raise _Lacking(item)
        out = np.full(self.reports.stocks, np.nan)
        out[quarters.column] = of(quarters)
        return out


_BY_NAME: Mapping[str, Callable[[Close], Float64]] = {
    "asset_turnover": lambda c: _ratio(c.trailing("revenue"), c.balance("total_assets")),
    "gross_margin": lambda c: 1 - _ratio(c.trailing("operating_cost"), c.trailing("revenue")),
    "leverage": lambda c: _ratio(c.balance("total_liabilities"), c.balance("total_assets")),
    "net_margin": lambda c: _ratio(c.trailing("net_profit"), c.trailing("revenue")),
    "roe": lambda c: _ratio(c.trailing("net_profit"), c.balance("total_equity")),
    "equity_turnover": lambda c: _ratio(c.trailing("revenue"), c.balance("total_equity")),
    "revenue_growth": lambda c: c.growth("revenue"),
    "profit_growth": lambda c: c.growth("net_profit"),
    "bp": lambda c: _ratio(c.balance("total_equity"), c.value()),
    "ep": lambda c: _ratio(c.trailing("net_profit"), c.value()),
    "sp": lambda c: _ratio(c.trailing("revenue"), c.value()),
    "size": lambda c: np.log(c.value()),
}


def ratios(panel: Panel, row: int, names: tuple[Ratio, ...]) -> dict[str, Float64]:
    """Those of `names` that the market can give, raw, (N,) each; NaN = not known, or not defined.

    Raises
    ------
    DataError
        the market has no fundamentals, or can give fewer than two of them.
    """
    close, lacking = Close(panel, row), []
    given: dict[str, Float64] = {}
    for name in names:
        try:
            given[name] = _BY_NAME[name](close)
        except _Lacking as reason:
            lacking.append(f"{name} (no {reason})")
    if len(given) < 2:
        raise DataError(
            f"a graph needs two ratios or more, this market gives {', '.join(given) or 'none'}; "
            f"it lacks {', '.join(lacking)}"
        )
    return given


def snapshot(reports: Fundamentals, row: int) -> Fundamentals:
    """The last quarters' figures as known at the close of `row`, one a stock and quarter, dated by that day."""
    day = int(reports.dates[row].astype("datetime64[D]").astype(np.int64))
    items = {item: _newest(events.until(day), day, reports.stocks) for item, events in reports.items.items()}
    return Fundamentals(reports.dates[: row + 1], reports.stocks, items)


def _newest(events: Events, day: int, stocks: int) -> Events:
    """Sorted by stock, quarter and day, so the last of a (stock, quarter) is the one that stands."""
    stands = np.append((np.diff(events.column) != 0) | (np.diff(events.quarter) != 0), True)[: len(events.column)]
    latest = np.zeros(stocks, dtype=np.int64)
    latest[events.column] = events.quarter  # assigned in order: the newest quarter stays
    stands &= events.quarter > latest[events.column] - _QUARTERS
    kept = np.flatnonzero(stands)
    return Events(events.column[kept], events.quarter[kept], np.full(len(kept), day), events.value[kept])


def _ratio(above: Float64, below: Float64) -> Float64:
    """NaN where the denominator is not positive."""
    usable = below > 0
    return np.where(usable, above / np.where(usable, below, 1.0), np.nan)
