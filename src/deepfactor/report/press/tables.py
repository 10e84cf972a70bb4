"""A table as the page and the JSON both see it: cells keep the number, the page its form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepfactor.core.json import JsonRecord
from deepfactor.core.words import Text
from deepfactor.report.press.formats import finite, number
from deepfactor.report.press.words import Metric, words

NOT_SAME = Text(
    "In grey: the number that the study printed for this model. Not the same data: other vendor, "
    "span and details. For scale only.",
    "灰色小字为研报对该模型公布的数字。数据并不相同：供应商、区间与细节各异，仅供量级参考。",
)
NOT_SAME_SHORT = Text("In grey: the study's printed number, not the same data.", "灰色小字：研报公布值，数据并不相同。")
#: Why there is no number.
NOT_RUN = Text("not part of this run", "本次运行未包含")
UNDEFINED = Text(
    "not defined on these data (too few observations, or a missing price)", "在此数据上无定义（观测过少或缺少价格）"
)


@dataclass(frozen=True)
class Cell:
    """One entry: text, or a number in a style of `formats`, with the study's number beside it where there is one.

    `link`: a relative address that the first cell of a row leads to."""

    value: str | float | int | None
    style: str = "text"
    published: float | None = None
    missing: str = ""
    link: str = ""

    @property
    def numeric(self) -> bool:
        """Is it a number (or a missing one)?"""
        return self.style != "text"

    @property
    def text(self) -> str:
        """What the page shows."""
        if self.numeric:
            return number(self.value, self.style)
        return self.value if isinstance(self.value, Text) else str(self.value)

    @property
    def published_text(self) -> str:
        """The study's number in the same style; empty where there is none."""
        return "" if self.published is None else number(self.published, self.style)

    @property
    def sort(self) -> str:
        """What the page sorts by; empty = last."""
        if not self.numeric:
            return str(self.value)
        clean = finite(self.value)
        return "" if clean is None else repr(clean)

    @property
    def title(self) -> str:
        """Why there is no number, for the pointer to show."""
        return self.missing if self.numeric and finite(self.value) is None else ""

    @property
    def plain(self) -> str | float | int | None:
        """The entry for JSON."""
        return finite(self.value) if self.numeric else self.value


@dataclass(frozen=True)
class Table:
    """Rows under metrics. `id` is its name in the JSON and its anchor on the page; `muted` rows are for comparison."""

    id: str
    title: str
    columns: tuple[Metric, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    muted: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.id}: a row has {len(row)} cells for {len(self.columns)} columns")

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers."""
        return tuple(any(row[k].numeric for row in self.rows) for k in range(len(self.columns)))

    @property
    def has_published(self) -> bool:
        """Does any cell show a study's number?"""
        return any(cell.published is not None for row in self.rows for cell in row)

    def records(self) -> list[JsonRecord]:
        """Rows for JSON, keyed by metric; the study's number under ``<metric>_published``."""
        return [
            {
                key: value
                for metric, cell in zip(self.columns, row, strict=True)
                for key, value in ((metric.key, cell.plain), (f"{metric.key}_published", cell.published))
                if not key.endswith("_published") or value is not None
            }
            for row in self.rows
        ]


def metric(key: str) -> Metric:
    """A column of the word list."""
    return words().metrics[key]


def head(key: str, label: str = "") -> Metric:
    """A column named by the data, such as a year."""
    return Metric(key, label or key, "", "")


def value_cell(record: Mapping[str, object] | None, key: str, style: str, published: float | None = None) -> Cell:
    """A number out of a record, with the reason where it is missing."""
    why = NOT_RUN if record is None or key not in record else UNDEFINED
    value = None if record is None else record.get(key)
    return Cell(value if isinstance(value, int | float) else None, style, published, why)


def label_cells(*texts: Any) -> tuple[Cell, ...]:
    """Text cells."""
    return tuple(Cell(text if isinstance(text, Text) else str(text)) for text in texts)


def make(
    name: str,
    title: str,
    columns: Sequence[str | Metric],
    rows: Iterable[tuple[Cell, ...]],
    note: str = "",
    muted: frozenset[int] = frozenset(),
) -> Table | None:
    """A table, or None where it would have no rows."""
    content = tuple(rows)
    heads = tuple(metric(c) if isinstance(c, str) else c for c in columns)
    return Table(name, title, heads, content, note, muted) if content else None


def defined(tables: Iterable[Table]) -> list[Metric]:
    """Each metric that a table shows, once, by its label."""
    shown = {m.key: m for table in tables for m in table.columns if m.definition}
    return sorted(shown.values(), key=lambda m: m.label.lower())
