"""Descriptors from company reports, (T, N) float32: raw, as known at each close. NaN = not known, or not defined.

A market value in a ratio is always the total one: earnings and equity belong to all shares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from deepfactor.core.arrays import Float32
from deepfactor.panel.fundamentals import Fundamentals, Quarters, annual_growth, surprise, year_on_year
from deepfactor.panel.panel import LACKS, Panel


class Lacking(Exception):
    """What a descriptor wants and the market has not."""


def described(
    panel: Panel, wanted: Mapping[str, Callable[[Panel], Float32]]
) -> tuple[dict[str, Float32], dict[str, str]]:
    """The descriptors that the market can give, and why it can't give the others."""
    described, absent = {}, {}
    for name, describe in wanted.items():
        try:
            described[name] = describe(panel)
        except Lacking as reason:
            absent[name] = str(reason)
    return described, absent


def described_from(panel: Panel, wanted: Mapping[str, Callable[[Panel], Float32]], first: int) -> dict[str, Float32]:
    """The descriptors that the market can give, (T − first, N): of the days from `first` on."""
    return described(panel.between(first, len(panel.dates)), wanted)[0]


def book_to_price(panel: Panel) -> Float32:
    """Equity ÷ total market value."""
    return _divide(_balance(panel, "total_equity"), _total_value(panel))


def earnings_to_price(panel: Panel) -> Float32:
    """Net profit of the last four quarters ÷ total market value."""
    return _divide(_trailing(panel, "net_profit"), _total_value(panel))


def cash_to_price(panel: Panel) -> Float32:
    """CETOP: operating cash flow of the last four quarters ÷ total market value."""
    return _divide(_trailing(panel, "operating_cash_flow"), _total_value(panel))


def return_on_equity(panel: Panel) -> Float32:
    """Net profit of the last four quarters ÷ equity; NaN where equity is not positive."""
    return _divide(_trailing(panel, "net_profit"), _balance(panel, "total_equity"))


def profit_growth(panel: Panel) -> Float32:
    """Yoy of the single-quarter net profit, absolute denominator; of the trailing year where there are no quarters."""
    reports = _reports(panel)
    quarters = reports.single_quarters("net_profit", 5)
    if quarters is None:
        quarters = _having(reports.trailing_years("net_profit", 5), "net_profit")
    return reports.spread(quarters, year_on_year(quarters))


def earnings_surprise(panel: Panel) -> Float32:
    """SUE of the net profit."""
    reports = _reports(panel)
    changes = _having(reports.yearly_changes("net_profit", 9), "net_profit")
    return reports.spread(changes, surprise(changes))


def five_year_growth(flow: str) -> Callable[[Panel], Float32]:
    """EGRO, SGRO: slope of five annual figures of `flow` ÷ their mean absolute value."""

    def describe(panel: Panel) -> Float32:
        reports = _reports(panel)
        years = _having(reports.trailing_years(flow, 20), flow)
        return reports.spread(years, annual_growth(years))

    return describe


def market_leverage(panel: Panel) -> Float32:
    """MLEV: (market value + long-term debt) ÷ market value, less the 1 that the z-score takes out."""
    return _divide(_balance(panel, "long_term_debt"), _total_value(panel))


def debt_to_assets(panel: Panel) -> Float32:
    """DTOA: liabilities ÷ assets."""
    return _divide(_balance(panel, "total_liabilities"), _balance(panel, "total_assets"))


def book_leverage(panel: Panel) -> Float32:
    """BLEV: (equity + long-term debt) ÷ equity, less the 1 that the z-score takes out; NaN for equity ≤ 0."""
    return _divide(_balance(panel, "long_term_debt"), _balance(panel, "total_equity"))


def _reports(panel: Panel) -> Fundamentals:
    if panel.fundamentals is None:
        raise Lacking(LACKS.format(what="fundamentals"))
    return panel.fundamentals


def _balance(panel: Panel, item: str) -> Float32:
    reports = _reports(panel)
    if item not in reports.items:
        raise Lacking(LACKS.format(what=item))
    return reports.in_force(item)


def _trailing(panel: Panel, flow: str) -> Float32:
    reports = _reports(panel)
    trailing = _having(reports.trailing_years(flow, 1), flow)
    return reports.spread(trailing, trailing.values[:, 0])


def _having(quarters: Quarters | None, flow: str) -> Quarters:
    if quarters is None:
        raise Lacking(LACKS.format(what=flow))
    return quarters


def _total_value(panel: Panel) -> Float32:
    if "total_mv" not in panel.fields:
        raise Lacking(LACKS.format(what="total_mv"))
    return np.asarray(panel["total_mv"], dtype=np.float32)


def _divide(above: Float32, below: Float32) -> Float32:
    """NaN where the denominator is not positive."""
    usable = below > 0
    out: Float32 = np.where(usable, above / np.where(usable, below, np.float32(1)), np.float32(np.nan))
    return out
