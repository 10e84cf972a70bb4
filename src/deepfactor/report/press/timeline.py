"""A timeline: spans of several roles on rows under one axis of days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from deepfactor.core.words import Text, joined
from deepfactor.report.press.blocks import Block
from deepfactor.report.press.facts import span


@dataclass(frozen=True)
class Stretch:
    """A stretch of a row, in percent of the axis; `label` gives the dates."""

    role: str
    left: float
    width: float
    label: str


@dataclass(frozen=True)
class Timeline(Block):
    """Rows under a common axis: (row's name, its stretches), and the years' ticks as (percent, text)."""

    macro: ClassVar[str] = "timeline"
    title: Text
    note: Text
    roles: Mapping[str, Text]
    rows: tuple[tuple[str, tuple[Stretch, ...]], ...]
    ticks: tuple[tuple[float, str], ...]


def timeline(
    title: Text, note: Text, roles: Mapping[str, Text], rows: Sequence[tuple[str, Sequence[tuple[date, date]]]]
) -> Timeline:
    """Set `rows`, each a name with a span for every role, on one axis."""
    days = [day for _, spans in rows for ends in spans for day in ends]
    first, last = min(days), max(days)
    length = max((last - first).days, 1)
    placed = tuple(
        (name, tuple(_stretch(role, roles[role], ends, first, length) for role, ends in zip(roles, spans, strict=True)))
        for name, spans in rows
    )
    years = [y for y in range(first.year, last.year + 2) if first <= date(y, 1, 1) <= last]
    step = 1 + len(years) // 10
    ticks = tuple((round(100 * (date(y, 1, 1) - first).days / length, 2), str(y)) for y in years[::step])
    return Timeline(title, note, roles, placed, ticks)


def _stretch(role: str, word: Text, ends: tuple[date, date], first: date, length: int) -> Stretch:
    start, end = ends
    left, width = 100 * (start - first).days / length, 100 * (end - start).days / length
    return Stretch(role, round(left, 2), round(max(width, 0.3), 2), joined(": ", [word, span(ends)]))
