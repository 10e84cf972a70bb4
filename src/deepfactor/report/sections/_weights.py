"""How a benchmark's weights were made, in words."""

from __future__ import annotations

from collections.abc import Mapping

from deepfactor.backtest.records import SummaryFile
from deepfactor.core.words import Text, joined
from deepfactor.report.press.formats import number

KINDS = {
    "derived": Text("derived from float capitalisation and membership", "由流通市值与成分推导"),
    "published": Text("as the index publisher gives them", "指数公司公布"),
    "published_incomplete": Text(
        "published, incomplete: they sum to {sum}, wanted 1", "指数公司公布，但不完整：权重合计{sum}（应为1）"
    ),
    "published_stale": Text("published, stale: up to {age} days old", "指数公司公布，但已过期：最久为{age}天前公布"),
    "free_float": Text(
        "by the vendor's free float in the index provider's tiers", "由数据商的自由流通股本按指数公司分级靠档计算"
    ),
    "float_cap": Text("derived from float capitalisation and membership", "由流通市值与成分推导"),
    "total_cap": Text("derived from total capitalisation and membership", "由总市值与成分推导"),
    "estimated": Text(
        "estimated: float capitalisation with inclusion factors of the largest members, fitted each "
        "month to the index's own returns of the past year",
        "估计所得：流通市值乘以纳入因子，最大成分股的纳入因子每月用指数过去一年的自身收益拟合",
    ),
}


def weights_said(summary: SummaryFile) -> Text | None:
    """By the entries ``replica_weights…`` of a ``summary.json``; where several kinds were used, each with its days.

    None where the summary has none, or a kind without words.
    """
    days: Mapping[str, int] = summary.get("replica_weights_days") or {}
    kinds = [_kind(kind, summary) for kind in sorted(days, key=lambda name: -days[name])]
    if len(kinds) < 2:
        kind = summary.get("replica_weights")
        return None if kind is None else _kind(str(kind), summary)
    total = sum(days.values())
    form = Text("{kind} ({n} of {total} days)", "{kind}（{total}天中{n}天）")
    parts = [
        form.filled(kind=said, n=number(n, "count"), total=number(total, "count"))
        for said, n in zip(kinds, sorted(days.values(), reverse=True), strict=True)
        if said is not None
    ]
    return joined("; ", parts)


def _kind(kind: str, summary: SummaryFile) -> Text | None:
    form = KINDS.get(kind)
    if form is None:
        return None
    facts = {"sum": number(summary.get("replica_weights_sum"), "ratio"), "age": summary.get("replica_weights_age")}
    said, missing = form.filled(**facts), summary.get("replica_weights_missing")
    if kind != "published_incomplete" or not missing:
        return said
    return joined("", [said, Text(", {n} members missing", "，缺少{n}只成分股").filled(n=number(missing, "count"))])
