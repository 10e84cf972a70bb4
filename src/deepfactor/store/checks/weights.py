"""Members and weights of indices: whole, recent, in fractions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.market.index_rules import STALE_DAYS, members_lacking
from deepfactor.store.checks.finding import Finding, rows_where

#: A publication's weights may miss 1 by this. Above `_NO_FRACTIONS` they are in another unit, such as percent.
_ROUNDING, _NO_FRACTIONS = 0.01, 1.5
_NO_FRACTION = Sentence("a weight is a fraction between 0 and 1", "权重应为0到1之间的小数")
_PERCENT = Sentence(
    "weights of {index} on {day} sum to {total}, wanted 1: divide by 100 if they are in percent",
    "{index}在{day}的权重合计为{total}而非1：若为百分数请除以100",
)
_OFF = Sentence(
    "weights of {n} publications don't sum to 1 within {rounding}, the least to {least}: members are missing, or the "
    "unit is wrong; they are scaled to 1",
    "有{n}次公布的权重合计与1相差超过{rounding}，最小合计为{least}：成分股缺失或单位有误，已按合计为1缩放",
)
_OLD = Sentence(
    "publications lie more than {days} days apart, or before the last day, {n} times: weights are carried forward by "
    "price",
    "有{n}次两次公布（或距最后交易日）相隔超过{days}天，其间权重按价格漂移",
)
_TOO_FEW = Sentence(
    "an index has fewer members than its code says, {n} times: is it cut to its largest?",
    "有{n}次指数成分股数少于该指数应有数量，可能只含权重最大的部分",
)


def check_weights(frame: pl.DataFrame) -> list[Finding]:
    """Each weight, and the sum of each publication."""
    bad = (pl.col("weight") < 0) | (pl.col("weight") > 1)
    out = rows_where("error", "weight_range", "index_weights", "weight", frame, bad, _NO_FRACTION)
    if out:
        return out
    sums = frame.group_by("index", "date").agg(pl.col("weight").sum()).sort("index", "date")
    above = sums.filter(pl.col("weight") > _NO_FRACTIONS)
    if above.height:
        index, day, total = above.row(0)
        message = _PERCENT.filled(index=index, day=day, total=f"{total:.4g}")
        bad = pl.col("weight").sum().over("index", "date") > _NO_FRACTIONS
        return rows_where("error", "weight_sum", "index_weights", "weight", frame, bad, message)
    off = sums.filter((pl.col("weight") - 1).abs() > _ROUNDING)
    if off.is_empty():
        return []
    examples = tuple(f"{index} {day} {total:.4g}" for index, day, total in off.head(5).rows())
    least = off.select(pl.col("weight").min()).item()
    message = _OFF.filled(n=off.height, rounding=_ROUNDING, least=f"{least:.4g}")
    return [Finding("warning", "weight_sum", "index_weights", "weight", off.height, message, None, examples)]


def check_recent(frame: pl.DataFrame, last: date) -> list[Finding]:
    """Indices whose weights get older than `STALE_DAYS` before the next ones come, or the market's `last` day."""
    days = frame.group_by("index").agg(pl.col("date").unique()).explode("date").sort("index", "date")
    days = days.filter(pl.col("date") <= last)
    following = pl.col("date").shift(-1).over("index")
    gaps = days.with_columns(until=following.fill_null(last), open=following.is_null())
    gaps = gaps.filter((pl.col("until") - pl.col("date")).dt.total_days() > STALE_DAYS)
    if gaps.is_empty():
        return []
    examples = tuple(
        f"{index}: none after {day}, prices go to {until}" if open_ else f"{index}: none between {day} and {until}"
        for index, day, until, open_ in gaps.sort("open", "until", descending=True).head(5).rows()
    )
    message = _OLD.filled(days=STALE_DAYS, n=gaps.height)
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
    message = _TOO_FEW.filled(n=len(short))
    return [Finding("warning", "members_missing", table, column, len(short), message, None, examples)]
