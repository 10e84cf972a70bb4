"""Where rows of a table lie in a panel under construction."""

from __future__ import annotations

import numpy as np
import polars as pl

from deepfactor.core.arrays import Dates, Indices, Symbols


def placed(table: pl.DataFrame, symbols: Symbols) -> tuple[pl.DataFrame, Indices]:
    """Rows whose symbol is among `symbols` (the panel's, ascending), and their columns there."""
    column = table["symbol"].cast(pl.String).cast(pl.Enum(symbols.tolist()), strict=False).to_physical()
    inside = column.is_not_null()
    return table.filter(inside), column.filter(inside).to_numpy().astype(np.intp)


def spans(table: pl.DataFrame, dates: Dates, begin: int) -> tuple[Indices, Indices]:
    """Slices of intervals with both ends inclusive over the rows from `begin` on; a null end is open."""
    start = np.searchsorted(dates, table["start_date"].to_numpy().astype("datetime64[D]"), side="left")
    end = np.full(len(start), len(dates))
    if "end_date" in table.columns:
        last = table["end_date"].to_numpy().astype("datetime64[D]")
        end = np.where(np.isnat(last), len(dates), np.searchsorted(dates, last, side="right"))
    return np.maximum(start - begin, 0), np.maximum(end - begin, 0)
