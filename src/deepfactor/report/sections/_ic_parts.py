"""RankIC within industries and thirds of size: a table of all arms, a figure of the lead arm."""

from __future__ import annotations

from deepfactor.core.words import Text
from deepfactor.evaluation.records import PartRecord
from deepfactor.report.content import ArmContent, RunContent
from deepfactor.report.content.reading import lead_arm
from deepfactor.report.press.drawing import COLOURS, Figure, bars, figure, layout
from deepfactor.report.press.tables import Table, head, label_cells, make, value_cell
from deepfactor.report.press.words import Metric, words

_SIZES = {
    "small": Text("small third by market value", "市值最小三分之一"),
    "middle": Text("middle third", "市值居中三分之一"),
    "large": Text("large third", "市值最大三分之一"),
}
_NO_INDUSTRY = Text("no industry", "无行业")
_TITLE = Text("RankIC within sizes and industries", "分市值、分行业秩相关IC")
_NOTE = Text(
    "All stocks of the first page within each part, on days {h} trading days apart, so that returns don't overlap.",
    "首页股票池在各部分内部的秩相关IC；每隔{h}个交易日取样，收益不重叠。",
)


def rank_ic_by_part(content: RunContent) -> Table | None:
    """Mean RankIC: part by arm; sizes first, then industries."""
    of_arm = [_parts(arm) for arm in content.arms]
    named = {key: part for parts in of_arm for key, part in parts.items()}
    rows = [
        (*label_cells(_said(named[key])), *(value_cell(parts.get(key), "rank_ic", "ic") for parts in of_arm))
        for key in sorted(named, key=_place)
    ]
    columns: list[str | Metric] = ["part_of_market", *(head(arm.name) for arm in content.arms)]
    note = _NOTE.filled(h=next((part["horizon"] for part in named.values()), 0))
    return make("rank_ic_by_part", _TITLE, columns, rows, note)


def part_bars(content: RunContent) -> Figure | None:
    """Mean RankIC of the lead arm: industries from the least to the most, then sizes."""
    lead = lead_arm(content)
    known = [part for part in _parts(lead).values() if part["rank_ic"] is not None] if lead is not None else []
    if lead is None or not known:
        return None
    known.sort(key=lambda part: (part["by"] == "size", part["rank_ic"]))
    trace = bars(
        lead.name,
        [_said(part) for part in known],
        [part["rank_ic"] for part in known],
        COLOURS[0],
        horizontal=True,
    )
    trace["marker"] = {"color": [COLOURS[1] if part["by"] == "size" else COLOURS[0] for part in known]}
    look = layout(x="plain", y_title="", y_format="", x_title=Text("mean RankIC", "秩相关IC均值"))
    look |= {"showlegend": False, "height": 120 + 18 * len(known), "hovermode": "closest"}
    title = Text("RankIC of {arm} within industries and sizes", "{arm}分行业、分市值秩相关IC").filled(arm=lead.name)
    return figure("rank_ic_parts", title, [trace], look)


def _parts(arm: ArmContent) -> dict[tuple[str, str], PartRecord]:
    return {(part["by"], part["name"]): part for part in arm.factor_report.get("parts", ())}


def _place(key: tuple[str, str]) -> tuple[bool, int, str]:
    by, name = key
    return by != "size", list(_SIZES).index(name) if by == "size" else 0, name


def _said(part: PartRecord) -> Text:
    """What a part is called; industries by the market's own names."""
    if part["by"] == "size":
        return _SIZES[part["name"]]
    return words().name(part["name"]) if part["name"] else _NO_INDUSTRY
