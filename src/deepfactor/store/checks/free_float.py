"""Free float in `daily`: shares, or fractions of the A-share capital; and what it is a fraction of."""

from __future__ import annotations

import polars as pl

from deepfactor.store.checks.basis import Basis
from deepfactor.store.checks.finding import Finding, rows_where

#: At the median a company's free float lies well within, and its A-shares between float and total.
_POSSIBLE_FLOAT, _POSSIBLE_CAPITAL = (0.02, 1.0), (0.9, 50.0)
_ROUNDING = 1e-3


def check_free_float(frame: pl.DataFrame, basis: Basis) -> list[Finding]:
    """`free_float` all in one unit, `a_shares` or `total_mv` beside it, and neither out of all proportion.

    Numbers of shares are worth raw prices: beside adjusted ones (see `basis`) only fractions and `total_mv` are read.
    """
    capital, out = capital_of(frame.columns), []
    free = pl.col("free_float")
    if basis.adjusted and "a_shares" in frame.columns:
        message = "is worth raw prices, and these are adjusted: give total_mv in its place"
        return [Finding("error", "adjusted_capital", "daily", "a_shares", frame.height, message)]
    if "a_shares" in frame.columns and "float_mv" in frame.columns:
        out += _capital(frame)
    if "free_float" not in frame.columns or out:
        return out
    if capital is None:
        message = "is read with a_shares (A-shares issued) or total_mv beside it: give one of them"
        return [Finding("error", "missing_column", "daily", "free_float", frame.height, message)]
    fractions, given = frame.select(below=((free > 0) & (free <= 1)).sum(), given=(free > 0).sum()).row(0)
    if fractions and fractions < given:
        message = "holds shares on some rows and fractions of the A-share capital on others (percent: divide = 100)"
        return rows_where("error", "mixed_unit", "daily", "free_float", frame, free > 1, message)
    if not given:
        return []
    if basis.adjusted and not fractions:
        message = "is in shares, which are worth raw prices, and these are adjusted: give fractions"
        return rows_where("error", "adjusted_capital", "daily", "free_float", frame, free > 1, message)
    share = free if fractions else free * pl.col("close") / capital
    median = frame.select(share.filter(free > 0).median()).item()
    what = "the A-share capital" if "a_shares" in frame.columns else "total_mv"
    if median is not None and not _POSSIBLE_FLOAT[0] <= median <= _POSSIBLE_FLOAT[1] + _ROUNDING:
        message = (
            f"free float is {median:.4g} of {what} at the median: give shares, or fractions (percent: divide = 100)"
        )
        return [Finding("error", "wrong_unit", "daily", "free_float", given, message)]
    message = f"free float is more than {what}"
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
    message = (
        f"a_shares × close is {ratio:.4g} × float_mv at the median: a_shares counts single shares, float_mv is in CNY"
    )
    return [Finding("error", "wrong_unit", "daily", "a_shares", frame.height, message)]
