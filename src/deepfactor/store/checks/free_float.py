"""Free float in `daily`: shares, or fractions of the A-share capital; and what it is a fraction of."""

from __future__ import annotations

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.store.checks.basis import Basis
from deepfactor.store.checks.finding import Finding, rows_where

#: At the median a company's free float lies well within, and its A-shares between float and total.
_POSSIBLE_FLOAT, _POSSIBLE_CAPITAL = (0.02, 1.0), (0.9, 50.0)
_ROUNDING = 1e-3
_SHARES_ADJUSTED = Sentence(
    "is worth raw prices, and these are adjusted: give total_mv in its place",
    "股数须乘以原始价格，而所给价格为复权价：请改为给出total_mv",
)
_NO_CAPITAL = Sentence(
    "is read with a_shares (A-shares issued) or total_mv beside it: give one of them",
    "须同时给出a_shares（已发行A股股数）或total_mv之一",
)
_MIXED = Sentence(
    "holds shares on some rows and fractions of the A-share capital on others (percent: divide = 100)",
    "股数与比例混用：有的行为股数，有的行为占A股股本的比例（百分数：divide = 100）",
)
_FLOAT_ADJUSTED = Sentence(
    "is in shares, which are worth raw prices, and these are adjusted: give fractions",
    "股价为复权价，自由流通股本须以比例给出",
)
_FLOAT_UNIT = Sentence(
    "free float is {median} of {what} at the median: give shares, or fractions (percent: divide = 100)",
    "自由流通股本为{what}的{median}（中位数）：请以股数或比例给出（百分数：divide = 100）",
)
_ABOVE = Sentence("free float is more than {what}", "自由流通股本超过{what}")
_CAPITAL_UNIT = Sentence(
    "a_shares × close is {ratio} × float_mv at the median: a_shares counts single shares, float_mv is in CNY",
    "a_shares×收盘价为流通市值的{ratio}倍（中位数）：a_shares以股计，float_mv以元计",
)
_A_SHARES, _TOTAL = Sentence("the A-share capital", "A股股本"), Sentence("total_mv", "总市值")


def check_free_float(frame: pl.DataFrame, basis: Basis) -> list[Finding]:
    """`free_float` all in one unit, `a_shares` or `total_mv` beside it, and neither out of all proportion.

    Numbers of shares are worth raw prices: beside adjusted ones (see `basis`) only fractions and `total_mv` are read.
    """
    capital, out = capital_of(frame.columns), []
    free = pl.col("free_float")
    if basis.adjusted and "a_shares" in frame.columns:
        return [Finding("error", "adjusted_capital", "daily", "a_shares", frame.height, _SHARES_ADJUSTED)]
    if "a_shares" in frame.columns and "float_mv" in frame.columns:
        out += _capital(frame)
    if "free_float" not in frame.columns or out:
        return out
    if capital is None:
        return [Finding("error", "missing_column", "daily", "free_float", frame.height, _NO_CAPITAL)]
    fractions, given = frame.select(below=((free > 0) & (free <= 1)).sum(), given=(free > 0).sum()).row(0)
    if fractions and fractions < given:
        return rows_where("error", "mixed_unit", "daily", "free_float", frame, free > 1, _MIXED)
    if not given:
        return []
    if basis.adjusted and not fractions:
        return rows_where("error", "adjusted_capital", "daily", "free_float", frame, free > 1, _FLOAT_ADJUSTED)
    share = free if fractions else free * pl.col("close") / capital
    median = frame.select(share.filter(free > 0).median()).item()
    what = _A_SHARES if "a_shares" in frame.columns else _TOTAL
    if median is not None and not _POSSIBLE_FLOAT[0] <= median <= _POSSIBLE_FLOAT[1] + _ROUNDING:
        message = _FLOAT_UNIT.filled(median=f"{median:.4g}", what=what)
        return [Finding("error", "wrong_unit", "daily", "free_float", given, message)]
    message = _ABOVE.filled(what=what)
    return rows_where("warning", "free_float_range", "daily", "free_float", frame, share > 1 + _ROUNDING, message)


def capital_of(columns: list[str]) -> pl.Expr | None:
    """Value of the A-shares issued, CNY; by `total_mv` where their number isn't given; None where neither is."""
    if "a_shares" in columns:
        return pl.col("a_shares") * pl.col("close")
    return pl.col("total_mv") if "total_mv" in columns else None


def _capital(frame: pl.DataFrame) -> list[Finding]:
    ratio = frame.select((pl.col("a_shares") * pl.col("close") / pl.col("float_mv")).median()).item()
    if ratio is None or _POSSIBLE_CAPITAL[0] <= ratio <= _POSSIBLE_CAPITAL[1]:
        return []
    message = _CAPITAL_UNIT.filled(ratio=f"{ratio:.4g}")
    return [Finding("error", "wrong_unit", "daily", "a_shares", frame.height, message)]
