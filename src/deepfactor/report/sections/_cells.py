"""Cells of a factor test's records, the study's printed number beside ours."""

from __future__ import annotations

from collections.abc import Mapping

from deepfactor.core.words import Text
from deepfactor.evaluation.records import GroupRecord, ICRecord
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


def ic_cell(record: ICRecord | None, key: str, style: str, ref: Reference | None = None) -> Cell:
    """A RankIC statistic of a record, the study's beside it."""
    printed = None
    if record is not None and ref is not None:
        printed = ref.rank_ic(key, record["universe"], int(record["horizon"]), record["convention"])
    return value_cell(None if record is None else record["rank_ic"], key, style, printed)


def top_cell(
    group: GroupRecord | None, top: Mapping[str, object] | None, key: str, style: str, ref: Reference | None
) -> Cell:
    """A number of a top group against one benchmark (`top`), the study's beside it."""
    if group is None:
        return value_cell(None, key, style)
    printed = None if ref is None else ref.top_group(key, group["universe"])
    if top is None:
        return Cell(None, style, printed, why_none(group))
    return value_cell(top, key, style, printed)


def year_cell(
    years: Mapping[str, Mapping[str, object]], year: str, key: str, style: str, published: float | None = None
) -> Cell:
    """A number of one year."""
    entry = years.get(year)
    if entry is None:
        return Cell(None, style, published, Text("no such year in this test", "本测试没有该年份"))
    inner = entry.get("rank_ic")
    return value_cell(inner if isinstance(inner, Mapping) else entry, key, style, published)


def why_none(group: GroupRecord) -> Text:
    """Why a record has no groups or no portfolio."""
    reason = group.get("reason")
    return UNDEFINED if not reason else _REASONS[reason]
