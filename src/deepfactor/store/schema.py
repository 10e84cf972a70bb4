"""What a market folder holds: each table's columns, units and key. The public contract of `docs/conventions.md`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

#: Version of the folder's layout and of the tables below. A newer folder is refused, an older one migrated.
SCHEMA_VERSION = 4
#: The first whose manifest has a checksum.
SEALED = 4

#: An exchange-suffixed code, of a stock or an index.
SYMBOL_PATTERN = r"^[0-9]{6}\.(SH|SZ|BJ)$"


@dataclass(frozen=True)
class ColumnSchema:
    """One column of a table.

    Attributes
    ----------
    dtype : polars type as stored
    required : must be there
    nullable : may hold nulls (= missing)
    """

    dtype: pl.DataType
    required: bool = False
    nullable: bool = True


@dataclass(frozen=True)
class TableSchema:
    """One table of a market folder.

    Attributes
    ----------
    columns : mapping of name to `ColumnSchema`, in the order of storage
    key : columns that name a row; no two rows share one
    order : columns by which a part is sorted
    one_of : groups of columns of which at least one must be there
    parts_by : column whose calendar months are a part each; None = all in one
    """

    columns: Mapping[str, ColumnSchema]
    key: tuple[str, ...]
    order: tuple[str, ...]
    one_of: tuple[tuple[str, ...], ...] = ()
    parts_by: str | None = None

    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(name for name, column in self.columns.items() if column.required)


def _key(dtype: pl.DataType) -> ColumnSchema:
    return ColumnSchema(dtype, required=True, nullable=False)


_DATE, _TEXT, _NUMBER, _FLAG = pl.Date(), pl.String(), pl.Float64(), pl.Boolean()

#: Every table. Money in CNY, prices raw (unadjusted) CNY, volume in shares, ratios as fractions, intervals with both
#: ends inclusive and a null end for "still".
TABLES: Mapping[str, TableSchema] = {
    "daily": TableSchema(
        {
            "date": _key(_DATE),
            "symbol": _key(_TEXT),
            **{name: ColumnSchema(_NUMBER, required=True) for name in ("open", "high", "low", "close", "volume")},
            **{
                name: ColumnSchema(_NUMBER)
                for name in ("amount", "vwap", "adj_factor", "prev_close", "turnover", "total_mv", "float_mv")
            },
            # Free float, in shares or as a fraction of the A-share capital, and the A-shares issued.
            **{name: ColumnSchema(_NUMBER) for name in ("free_float", "a_shares")},
            "is_st": ColumnSchema(_FLAG),
            "is_suspended": ColumnSchema(_FLAG),
            "limit_up": ColumnSchema(_NUMBER),
            "limit_down": ColumnSchema(_NUMBER),
        },
        key=("date", "symbol"),
        order=("symbol", "date"),
        one_of=(("amount", "vwap"),),
        parts_by="date",
    ),
    "securities": TableSchema(
        {
            "symbol": _key(_TEXT),
            "name": ColumnSchema(_TEXT),
            "board": ColumnSchema(_TEXT),
            "list_date": ColumnSchema(_DATE),
            "delist_date": ColumnSchema(_DATE),
        },
        key=("symbol",),
        order=("symbol",),
    ),
    "industry": TableSchema(
        {
            "symbol": _key(_TEXT),
            "industry": _key(_TEXT),
            "start_date": _key(_DATE),
            "end_date": ColumnSchema(_DATE),
        },
        key=("symbol", "start_date"),
        order=("symbol", "start_date"),
    ),
    "fundamentals": TableSchema(
        {
            "symbol": _key(_TEXT),
            "known_at": _key(_DATE),
            "item": _key(_TEXT),
            "value": ColumnSchema(_NUMBER, required=True),
            "period_end": ColumnSchema(_DATE),
        },
        key=("symbol", "item", "known_at", "period_end"),
        order=("symbol", "item", "known_at", "period_end"),
    ),
    "index_weights": TableSchema(
        {
            "index": _key(_TEXT),
            "date": _key(_DATE),
            "symbol": _key(_TEXT),
            "weight": ColumnSchema(_NUMBER, required=True, nullable=False),
        },
        key=("index", "date", "symbol"),
        order=("index", "date", "symbol"),
    ),
    "index_members": TableSchema(
        {
            "index": _key(_TEXT),
            "symbol": _key(_TEXT),
            "start_date": _key(_DATE),
            "end_date": ColumnSchema(_DATE, required=True),
        },
        key=("index", "symbol", "start_date"),
        order=("index", "symbol", "start_date"),
    ),
    "index_daily": TableSchema(
        {
            "index": _key(_TEXT),
            "date": _key(_DATE),
            "close": ColumnSchema(_NUMBER, required=True),
            "total_return_close": ColumnSchema(_NUMBER),
        },
        key=("index", "date"),
        order=("index", "date"),
    ),
    "calendar": TableSchema({"date": _key(_DATE)}, key=("date",), order=("date",)),
}
