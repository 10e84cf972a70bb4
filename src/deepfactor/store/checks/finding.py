"""What a check finds: one kind of fault in one table, with its count and example rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

import polars as pl

from deepfactor.core.words import Text
from deepfactor.store.schema import TABLES

Severity = Literal["error", "warning"]
#: What the page says of a caught error, whose own words are English.
WORDS = {"damaged": "内容损坏"}


class FindingRecord(TypedDict):
    """A finding of the audit, as JSON has it."""

    severity: Severity
    code: str
    table: str
    column: str | None
    count: int
    message: str
    row: int | None
    examples: list[str]


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one table.

    Attributes
    ----------
    severity : "error" stops ingest, "warning" doesn't
    code : names the kind of fault
    table, column : where
    count : how many rows (or symbols, where the message says so)
    message : what was found, what is wanted, what to do; the Chinese stands beside it, results keep the English
    row : number of the first such row in the table as delivered, from 1; None where no row is to blame
    examples : up to five of them, as text
    """

    severity: Severity
    code: str
    table: str
    column: str | None
    count: int
    message: Text
    row: int | None = None
    examples: tuple[str, ...] = ()

    def record(self) -> FindingRecord:
        """For JSON."""
        return {
            "severity": self.severity,
            "code": self.code,
            "table": self.table,
            "column": self.column,
            "count": self.count,
            "message": str(self.message),
            "row": self.row,
            "examples": list(self.examples),
        }


def rows_where(
    severity: Severity,
    code: str,
    table: str,
    column: str | None,
    frame: pl.DataFrame,
    bad: pl.Expr,
    message: Text,
) -> list[Finding]:
    """A finding for the rows of `frame` where `bad` holds (null = fine), or none."""
    where = frame.select(bad.fill_null(False).arg_true()).to_series()
    if where.is_empty():
        return []
    shown = [*TABLES[table].key, *([column] if column and column not in TABLES[table].key else [])]
    rows = frame[where.head(5)].select(shown).rows()
    examples = tuple(" ".join("null" if v is None else str(v) for v in row) for row in rows)
    return [Finding(severity, code, table, column, len(where), message, int(where[0]) + 1, examples)]
