"""How a benchmark's weights were made, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfactor.report.formats import number
from deepfactor.report.words import Text, joined, words


def weights_said(summary: Mapping[str, Any]) -> Text | None:
    """By the entries ``replica_weights…`` of a ``summary.json``; where several kinds were used, each with its days.

    None where the summary has none, or a kind without words.
    """
    days: Mapping[str, int] = summary.get("replica_weights_days") or {}
    kinds = [_kind(kind, summary) for kind in sorted(days, key=lambda name: -days[name])]
    if len(kinds) < 2:
        kind = summary.get("replica_weights")
        return None if kind is None else _kind(str(kind), summary)
    total = sum(days.values())
    form = words().text["replica_weights_part"]
    parts = [
        form.filled(kind=said, n=number(n, "count"), total=number(total, "count"))
        for said, n in zip(kinds, sorted(days.values(), reverse=True), strict=True)
        if said is not None
    ]
    return joined("; ", parts)


def _kind(kind: str, summary: Mapping[str, Any]) -> Text | None:
    form = words().text.get(f"replica_weights.{kind}")
    if form is None:
        return None
    facts = {"sum": number(summary.get("replica_weights_sum"), "ratio"), "age": summary.get("replica_weights_age")}
    said, missing = form.filled(**facts), summary.get("replica_weights_missing")
    if kind != "published_incomplete" or not missing:
        return said
    return joined("", [said, words().text["replica_weights_missing"].filled(n=number(missing, "count"))])
