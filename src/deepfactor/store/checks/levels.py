"""Values that no market has, whatever their rows: a unit that is off by powers of ten, or damage.

Bounds are far outside what was ever quoted (closes to 2,600 CNY, factors from 0.03 to 11,000, market values from 9e7 to
3e12 CNY, 5e9 shares a day): beyond the first a value is strange, beyond the second impossible. Within the second all
arrays keep finite in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from deepfactor.core.words import Sentence, Text
from deepfactor.store.checks.finding import Finding, rows_where

_NONE, _ALL = 0.0, float("inf")
_OUTSIDE = Sentence(
    "{column} lies outside of what {what} can be ({span}): is its unit right?",
    "{column}超出可能范围（{what}，{span}），请核对单位",
)
_BETWEEN, _UP_TO = Sentence("from {least} to {most}", "{least}至{most}"), Sentence("up to {most}", "不超过{most}")


@dataclass(frozen=True)
class _Bounds:
    """Of a column: `strange` and `impossible` = lowest and highest value that isn't; `what` it is, with its unit."""

    strange: tuple[float, float]
    impossible: tuple[float, float]
    what: Text


_PRICE = _Bounds((_NONE, 1e4), (_NONE, 1e6), Sentence("a price in CNY", "以元计的价格"))
_ADJUSTED_PRICE = _Bounds((_NONE, _ALL), (_NONE, 1e7), Sentence("an adjusted price in CNY", "以元计的复权价"))
_VALUE = _Bounds((1e6, 3e13), (1e4, 1e15), Sentence("a market value in CNY", "以元计的市值"))
_LIMIT = _Bounds((_NONE, _ALL), (_NONE, 1e7), Sentence("a price limit in CNY", "以元计的涨跌停价"))
_LEVEL = _Bounds((_NONE, 1e6), (_NONE, 1e9), Sentence("an index level", "指数点位"))
_DAILY = {
    **dict.fromkeys(("open", "high", "low", "close", "vwap", "prev_close"), _PRICE),
    **dict.fromkeys(("limit_up", "limit_down"), _LIMIT),
    **dict.fromkeys(("float_mv", "total_mv"), _VALUE),
    "adj_factor": _Bounds((1e-4, 1e5), (1e-9, 1e9), Sentence("a cumulative adjustment factor", "累计复权因子")),
    "volume": _Bounds((_NONE, 2e11), (_NONE, 1e13), Sentence("a day's volume in shares", "以股计的日成交量")),
    "amount": _Bounds((_NONE, 1e12), (_NONE, 1e14), Sentence("a day's amount in CNY", "以元计的日成交额")),
    "turnover": _Bounds(
        (_NONE, 2.0),
        (_NONE, 1e3),
        Sentence("a day's turnover as a fraction of the float", "以流通股本的小数计的日换手率"),
    ),
}
_INDEX = dict.fromkeys(("close", "total_return_close"), _LEVEL)


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
    what: Text,
) -> list[Finding]:
    value = pl.col(column)
    bad = ((value > 0) & (value < bounds[0])) | (value > bounds[1])
    span = (
        _BETWEEN.filled(least=f"{bounds[0]:g}", most=f"{bounds[1]:g}")
        if bounds[0] > 0
        else _UP_TO.filled(most=f"{bounds[1]:g}")
    )
    message = _OUTSIDE.filled(column=column, what=what, span=span)
    return rows_where(severity, code, table, column, frame, bad, message)
