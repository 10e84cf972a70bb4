"""Values that no market has, whatever their rows: a unit that is off by powers of ten, or damage.

Bounds are far outside what was ever quoted (closes to 2,600 CNY, factors from 0.03 to 11,000, market values from 9e7 to
3e12 CNY, 5e9 shares a day): beyond the first a value is strange, beyond the second impossible. Within the second all
arrays keep finite in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from deepfactor.store.checks.finding import Finding, rows_where

_NONE, _ALL = 0.0, float("inf")


@dataclass(frozen=True)
class _Bounds:
    """Of a column: `strange` and `impossible` = lowest and highest value that isn't; `what` it is, with its unit."""

    strange: tuple[float, float]
    impossible: tuple[float, float]
    what: str


_PRICE = _Bounds((_NONE, 1e4), (_NONE, 1e6), "a price in CNY")
_ADJUSTED_PRICE = _Bounds((_NONE, _ALL), (_NONE, 1e7), "an adjusted price in CNY")
_VALUE = _Bounds((1e6, 3e13), (1e4, 1e15), "a market value in CNY")
_DAILY = {
    **dict.fromkeys(("open", "high", "low", "close", "vwap", "prev_close"), _PRICE),
    **dict.fromkeys(("limit_up", "limit_down"), _Bounds((_NONE, _ALL), (_NONE, 1e7), "a price limit in CNY")),
    **dict.fromkeys(("float_mv", "total_mv"), _VALUE),
    "adj_factor": _Bounds((1e-4, 1e5), (1e-9, 1e9), "a cumulative adjustment factor"),
    "volume": _Bounds((_NONE, 2e11), (_NONE, 1e13), "a day's volume in shares"),
    "amount": _Bounds((_NONE, 1e12), (_NONE, 1e14), "a day's amount in CNY"),
    "turnover": _Bounds((_NONE, 2.0), (_NONE, 1e3), "a day's turnover as a fraction of the float"),
}
_INDEX = dict.fromkeys(("close", "total_return_close"), _Bounds((_NONE, 1e6), (_NONE, 1e9), "an index level"))


def check_levels(table: str, frame: pl.DataFrame, *, adjusted: bool = False) -> list[Finding]:
    """Findings of the values of `daily` or `index_daily`; `adjusted`: prices are, and may have grown a lot."""
    bounds = _DAILY if table == "daily" else _INDEX
    out: list[Finding] = []
    for column in [name for name in bounds if name in frame.columns]:
        one = _ADJUSTED_PRICE if adjusted and bounds[column] is _PRICE else bounds[column]
        lowest, highest = frame.select(pl.col(column).min().alias("low"), pl.col(column).max().alias("high")).row(0)
        if lowest is None:
            continue
        if _within(lowest, highest, one.impossible):
            if not _within(lowest, highest, one.strange):
                out += _finding("warning", "strange_level", table, column, frame, one.strange, one.what)
        else:
            out += _finding("error", "impossible_level", table, column, frame, one.impossible, one.what)
    return out


def _within(lowest: float, highest: float, bounds: tuple[float, float]) -> bool:
    # What isn't positive is another finding.
    return (lowest >= bounds[0] or lowest <= 0) and highest <= bounds[1]


def _finding(
    severity: Literal["error", "warning"],
    code: str,
    table: str,
    column: str,
    frame: pl.DataFrame,
    bounds: tuple[float, float],
    what: str,
) -> list[Finding]:
    value = pl.col(column)
    bad = ((value > 0) & (value < bounds[0])) | (value > bounds[1])
    span = f"from {bounds[0]:g} to {bounds[1]:g}" if bounds[0] > 0 else f"up to {bounds[1]:g}"
    message = f"{column} lies outside of what {what} can be ({span}): is its unit right?"
    return rows_where(severity, code, table, column, frame, bad, message)
