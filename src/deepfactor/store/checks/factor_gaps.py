"""Trades without an adjustment factor: before a symbol's first one, and where the last known one is carried on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.store.checks.finding import Finding

#: Trades that a symbol may have before its first factor: a vendor may take up a new listing late.
_FEW = 5
_NOT_YET = Sentence(
    "adj_factor is missing before a symbol's first one: no returns there", "股票首个复权因子之前因子缺失，没有收益率"
)
_NOT_YET_OF_MANY = Sentence(
    "adj_factor is missing before a symbol's first one ({share} of rows with a trade, {n} symbols): there would be no "
    "returns. Give it from the first row on; where it comes by steps, before_first says what holds before a symbol's "
    "first step and where it has none (before_first = 1 for a backward factor that counts from the listing)",
    "首个复权因子之前因子缺失（占有成交行的{share}，{n}只股票），这些行没有收益率：请自首行起给出因子；"
    "若因子按变动记录给出，用before_first说明首次变动之前的值（自上市起累计的后复权因子为before_first = 1）",
)
_CARRIED = Sentence(
    "adj_factor is missing: the last known one is carried on, and an ex-date there is not adjusted for",
    "复权因子缺失，沿用最近一个已知值，这些日子若除权除息则未复权",
)


def check_factor_gaps(trades: pl.DataFrame, since: date | None = None, factored: Collection[str] = ()) -> list[Finding]:
    """Findings of `trades` (see `moves.trades_by_symbol`, with a factor) without a factor of their own.

    `since`, `factored`: see `adjustment.check_adjustment`.
    """
    lacking = trades.filter(pl.col("carried"))
    if since is not None:
        lacking = lacking.filter(pl.col("date") >= since)
    if lacking.is_empty():
        return []
    before = pl.col("factor").is_null() & ~pl.col("symbol").cast(pl.String).is_in(list(factored))
    return [*_before_the_first(lacking.filter(before), trades.height), *_carried(lacking.filter(~before), trades)]


def _before_the_first(rows: pl.DataFrame, trades: int) -> list[Finding]:
    if rows.is_empty():
        return []
    each = rows.group_by("symbol", maintain_order=True).agg(first=pl.col("date").min(), n=pl.len())
    examples = tuple(f"{symbol} {n} rows from {first}" for symbol, first, n in each.head(5).rows())
    if each.select(pl.col("n").max()).item() <= _FEW:
        return [Finding("warning", "no_factor_yet", "daily", "adj_factor", rows.height, _NOT_YET, None, examples)]
    message = _NOT_YET_OF_MANY.filled(share=f"{rows.height / trades:.1%}", n=each.height)
    return [Finding("error", "no_factor_yet", "daily", "adj_factor", rows.height, message, None, examples)]


def _carried(rows: pl.DataFrame, trades: pl.DataFrame) -> list[Finding]:
    if rows.is_empty():
        return []
    days = rows.group_by("date").agg(n=pl.len(), names=pl.col("symbol").cast(pl.String).head(3))
    days = days.sort("date", descending=True).head(5)
    traded = trades.filter(pl.col("date").is_in(days["date"].implode())).group_by("date").agg(all=pl.len())
    examples = tuple(
        f"missing on {n} of {total} rows of {day}" + (f" ({', '.join(names)})" if n <= len(names) else "")
        for day, n, names, total in days.join(traded, on="date", maintain_order="left").rows()
    )
    return [Finding("warning", "factor_missing", "daily", "adj_factor", rows.height, _CARRIED, None, examples)]
