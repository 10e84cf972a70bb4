"""Cells of a factor test's records, the study's printed number beside ours."""

from __future__ import annotations

from deepfactor.core.words import Text
from deepfactor.report.content import Record
from deepfactor.report.content.published import Reference
from deepfactor.report.press.tables import UNDEFINED, Cell, value_cell

ALL_YEARS = Text("All", "全区间")

#: Why a universe has no groups or no top portfolio, by the test's code.
_REASONS = {
    "equal_scores": Text(
        "all scores of a day are equal: nothing tells the names apart", "当日全部得分相同，无法区分股票"
    ),
    "too_few_names": Text("too few names with a score", "有得分的股票过少"),
    "no_trade_in_span": Text("no day to trade in the span", "区间内没有可交易的日子"),
}


def ic_cell(record: Record | None, key: str, style: str, ref: Reference | None = None) -> Cell:
    """A RankIC statistic of a record, the study's beside it."""
    printed = None
    if record is not None and ref is not None:
        printed = ref.rank_ic(key, record["universe"], int(record["horizon"]), record["convention"])
    return value_cell(None if record is None else record["rank_ic"], key, style, printed)


def top_cell(group: Record | None, key: str, style: str, ref: Reference | None) -> Cell:
    """A number of a top group, the study's beside it."""
    if group is None:
        return value_cell(None, key, style)
    printed = None if ref is None else ref.top_group(key, group["universe"])
    if group["top"] is None:
        return Cell(None, style, printed, why_none(group))
    return value_cell(group["top"], key, style, printed)


def year_cell(record: Record, year: str, key: str, style: str, published: float | None = None) -> Cell:
    """A number of one year."""
    entry = record.get("by_year", {}).get(year)
    if entry is None:
        return Cell(None, style, published, Text("no such year in this test", "本测试没有该年份"))
    return value_cell(entry.get("rank_ic", entry), key, style, published)


def why_none(record: Record) -> Text:
    """Why a record has no groups or no portfolio."""
    reason = record.get("reason")
    return UNDEFINED if not reason else _REASONS[reason]
