"""What reads a mapping's files or queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from deepfactor.sources._extract import Among, Extract
from deepfactor.sources._mapping_columns import Origin

Values = Mapping[str, str | float | bool]


class Reader(Protocol):
    """Reads what a mapping names; `label` is for errors: our table, or which of its step tables.

    Raises a `DataError` where nothing can be read, or a column is missing.
    """

    def read(
        self,
        origin: Origin,
        columns: Sequence[str],
        where: Values,
        label: str,
        among: Among | None = None,
        numbers: Collection[str] = (),
    ) -> Extract:
        """The `columns` of the rows whose columns have the values of `where`.

        `among` leaves out other rows: a column = its values, or its first and last date (None = open) where it holds
        dates. Of dates a reader may give more. `numbers` are columns that are wanted as numbers alone: a reader may
        give them so where all of a column's values are some.
        """

    def distinct(self, origin: Origin, column: str, where: Values, label: str) -> Extract:
        """The distinct values of a column over all days, missing ones left out."""

    def content(self, origin: Origin) -> str | None:
        """Names the bytes that are read there; None where only reading all of it tells."""

    def notes(self) -> list[str]:
        """What is to be said of how it was read, once all is read."""
