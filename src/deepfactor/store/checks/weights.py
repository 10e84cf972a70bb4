"""Members and weights of indices: whole, recent, in fractions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from deepfactor.market.index_rules import STALE_DAYS, members_lacking
from deepfactor.store.checks.finding import Finding, rows_where

#: A publication's weights may miss 1 by this. Above `_NO_FRACTIONS` they are in another unit, such as percent.
_ROUNDING, _NO_FRACTIONS = 0.01, 1.5


def check_weights(frame: pl.DataFrame) -> list[Finding]:
    """Each weight, and the sum of each publication."""
    message = "a weight is a fraction between 0 and 1"
    bad = (pl.col("weight") < 0) | (pl.col("weight") > 1)
    out = rows_where("error", "weight_range", "index_weights", "weight", frame, bad, message)
    if out:
        return out
    sums = frame.group_by("index", "date").agg(pl.col("weight").sum()).sort("index", "date")
    above = sums.filter(pl.col("weight") > _NO_FRACTIONS)
    if above.height:
        index, day, total = above.row(0)
        message = f"weights of {index} on {day} sum to {total:.4g}, wanted 1: divide by 100 if they are in percent"
        bad = pl.col("weight").sum().over("index", "date") > _NO_FRACTIONS
        return rows_where("error", "weight_sum", "index_weights", "weight", frame, bad, message)
    off = sums.filter((pl.col("weight") - 1).abs() > _ROUNDING)
    if off.is_empty():
        return []
    examples = tuple(f"{index} {day} {total:.4g}" for index, day, total in off.head(5).rows())
    least = off.select(pl.col("weight").min()).item()
    message = (
        f"weights of {off.height} publications don't sum to 1 within {_ROUNDING}, the least to "
        f"{least:.4g}: members are missing, or the unit is wrong; they are scaled to 1"
    )
    return [Finding("warning", "weight_sum", "index_weights", "weight", off.height, message, None, examples)]


def check_recent(frame: pl.DataFrame, last: date) -> list[Finding]:
    """Indices whose weights get older than `STALE_DAYS` before the next ones come, or the market's `last` day."""
    days = frame.select("index", "date").unique().sort("index", "date").filter(pl.col("date") <= last)
    following = pl.col("date").shift(-1).over("index")
    gaps = days.with_columns(until=following.fill_null(last), open=following.is_null())
    gaps = gaps.filter((pl.col("until") - pl.col("date")).dt.total_days() > STALE_DAYS)
    if gaps.is_empty():
        return []
    examples = tuple(
        f"{index}: none after {day}, prices go to {until}" if open_ else f"{index}: none between {day} and {until}"
        for index, day, until, open_ in gaps.sort("open", "until", descending=True).head(5).rows()
    )
    message = (
        f"publications lie more than {STALE_DAYS} days apart, or before the last day, {gaps.height} times: "
        "weights are carried forward by price"
    )
    return [Finding("warning", "stale_weights", "index_weights", "date", gaps.height, message, None, examples)]


def check_number(tables: Mapping[str, pl.DataFrame], last: date, priced: Collection[str]) -> list[Finding]:
    """Indices with fewer members, by weights or on the `last` day by intervals, than their codes say."""
    out = []
    if "index_weights" in tables:
        held = tables["index_weights"].filter(pl.col("weight") > 0)
        counts = held.group_by("index", "date").agg(n=pl.len()).sort("index", "date")
        out += _few("index_weights", "weight", counts, len(priced))
    if "index_members" in tables:
        now = (pl.col("start_date") <= last) & (pl.col("end_date").is_null() | (pl.col("end_date") >= last))
        held = tables["index_members"].filter(now)
        counts = held.group_by("index").agg(date=pl.lit(last), n=pl.len()).sort("index")
        out += _few("index_members", "symbol", counts, len(priced))
    return out


def _few(table: str, column: str, counts: pl.DataFrame, stocks: int) -> list[Finding]:
    """A finding for the rows (index, date, n) whose n is too small."""
    short = [(*row, lacking) for row in counts.rows() if (lacking := members_lacking(row[0], row[2], stocks))]
    if not short:
        return []
    examples = tuple(f"{index} {day}: {n} of {n + lacking}" for index, day, n, lacking in short[:5])
    message = f"an index has fewer members than its code says, {len(short)} times: is it cut to its largest?"
    return [Finding("warning", "members_missing", table, column, len(short), message, None, examples)]
