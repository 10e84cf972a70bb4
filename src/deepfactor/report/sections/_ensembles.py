"""Combinations of arms beside the mean of their members: what putting scores together earned by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from deepfactor.core.words import Text, joined
from deepfactor.report.content import ArmContent, PortfolioContent, RunContent
from deepfactor.report.press.tables import Cell, Table, label_cells, make
from deepfactor.report.press.words import Metric, words

NOTE = Text(
    "A combination's number less the mean of its members' is what averaging the scores earned; a score is averaged "
    "before it is ranked or traded, so it isn't that mean. Portfolios: after cost, over the index, by the set's "
    "definition.",
    "合成因子的数值减去其成员数值的均值，即得分平均本身的贡献；得分先平均、再排序与交易，故不等于该均值。组合：费后，"
    "相对指数，按约束集的定义。",
)
MEASURE = Metric("measure", Text("Measure", "指标"), "", Text("What is compared.", "比较的内容。"))
OWN = Metric(
    "combined", Text("Combination", "合成因子"), "", Text("The combination's own number.", "合成因子自身的数值。")
)
MEAN = Metric(
    "members_mean", Text("Members' mean", "成员均值"), "", Text("Mean of its members' numbers.", "其成员数值的均值。")
)
LESS = Metric("less_members", Text("Difference", "差"), "", Text("The first less the second.", "前者减后者。"))
BEST = Metric(
    "best_member", Text("Best member", "最优成员"), "", Text("The highest of its members' numbers.", "成员中的最高值。")
)

#: What is measured, its style, and where it stands of an arm or a portfolio.
_Measure = tuple[Text, str, Callable[[str], float | None]]


def beside_members(content: RunContent) -> Table | None:
    """One row a combination and measure."""
    rows = []
    for arm in content.arms:
        of = _members(arm)
        if not of:
            continue
        for what, style, number in _measures(content):
            own, others = number(arm.name), [number(name) for name in of]
            known = [value for value in others if value is not None]
            if own is None or len(known) < len(of):
                continue
            mean = float(np.mean(known))
            signed = style if style.startswith("signed") else f"signed_{style}" if style == "ic" else style
            rows.append(
                (
                    *label_cells(arm.name, what),
                    *(Cell(value, style) for value in (own, mean)),
                    Cell(own - mean, signed),
                    Cell(max(known), style),
                )
            )
    title = Text("Combinations beside the mean of their members", "合成因子与成员均值")
    return make("beside_members", title, ("arm", MEASURE, OWN, MEAN, LESS, BEST), rows, NOTE)


def _members(arm: ArmContent) -> Sequence[str]:
    card = arm.model_card
    if card.get("kind") != "combination":
        return ()
    of: Sequence[str] = card["settings"]["of"]  # type: ignore[assignment]
    return of


def _measures(content: RunContent) -> Iterator[_Measure]:
    arms = {arm.name: arm for arm in content.arms}
    of_records = ((Text("RankIC"), "mean", "ic"), (Text("ICIR"), "icir", "ratio"))
    for what, key, style in of_records:
        yield what, style, lambda name, key=key: _rank_ic(content, arms.get(name), key)  # type: ignore[misc]
    yield Text("Top group excess", "多头超额"), "signed_percent", lambda name: _top(content, arms.get(name))
    for index, constraints in dict.fromkeys((p.index, p.constraints) for p in content.portfolios):
        own = {p.arm: p for p in content.portfolios if (p.index, p.constraints) == (index, constraints)}
        named = joined(" · ", [words().universe(index), constraints])
        yield named, "signed_percent", lambda name, own=own: _excess(own, name)  # type: ignore[misc]


def _rank_ic(content: RunContent, arm: ArmContent | None, key: str) -> float | None:
    record = None if arm is None else arm.record(content.lead, 10, content.main)
    value = None if record is None else record["rank_ic"].get(key)
    return value if isinstance(value, float) else None


def _top(content: RunContent, arm: ArmContent | None) -> float | None:
    group = None if arm is None else arm.group(content.lead)
    top = None if group is None else group["top"]
    value = None if top is None else top.get("annual_excess_difference")
    return value if isinstance(value, float) else None


def _excess(own: Mapping[str, PortfolioContent], name: str) -> float | None:
    value = own[name].whole.get("excess") if name in own else None
    return value if isinstance(value, float) else None
