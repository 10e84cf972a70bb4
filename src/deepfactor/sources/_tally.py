"""What is dropped, made and remarked on the way from a vendor's rows to ours, by table, for the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.sources._codes import Codes, Read
from deepfactor.sources._extract import Extract
from deepfactor.sources._mapping_columns import Drop

_MATCHING = Sentence("rows whose {column} matches {pattern} ({why})", "{column}符合{pattern}的行（{why}）")


@dataclass
class Tally:
    """Table = reasons and rows dropped, columns that were made, notes."""

    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    derived: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def begin(self, table: str) -> None:
        """Count `table` anew."""
        self.dropped[table], self.derived[table], self.notes[table] = {}, [], []

    def drop(self, table: str, why: str, rows: int, part: str = "") -> None:
        """Count rows that are left out of `table`, or of a part of what makes it."""
        self.dropped[table][f"{table}.{part}: {why}" if part else f"{table}: {why}"] = rows

    def made(self, table: str, column: str) -> None:
        """Note that a column was derived."""
        if column not in self.derived[table]:
            self.derived[table].append(column)

    def coded(
        self, codes: Codes, table: str, extract: Extract, columns: Mapping[str, str], *, drop: bool, part: str = ""
    ) -> Read:
        """The rows with good codes, and those codes; what is dropped is counted for `table`. See `Codes.read`."""
        read = codes.read(extract, columns, drop=drop)
        for why, n in read.dropped.items():
            self.drop(table, why, n, part)
        return read

    def without(self, table: str, drops: Sequence[Drop], extract: Extract, part: str = "") -> Extract:
        """Without the rows that the mapping drops, counted."""
        for drop in drops:
            bad = extract[drop.column].cast(pl.String).str.contains(drop.matching).fill_null(False)
            if bad.any():
                why = _MATCHING.format(column=drop.column, pattern=drop.matching, why=drop.why)
                self.drop(table, why, int(bad.sum()), part)
                extract = extract.keep(~bad)
        return extract
