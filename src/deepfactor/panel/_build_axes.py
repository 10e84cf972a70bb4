"""Where rows of a table lie in a panel under construction."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepfactor.panel._build_fields import BuiltFields
from deepfactor.panel.panel import Dates


def placed(table: pl.DataFrame, fields: BuiltFields) -> tuple[pl.DataFrame, NDArray[np.intp]]:
    """Rows whose symbol is in the panel, and their columns there."""
    names = table["symbol"].to_numpy().astype(np.str_)
    column = np.searchsorted(fields.symbols, names)
    inside = column < len(fields.symbols)
    inside[inside] = fields.symbols[column[inside]] == names[inside]
    return table.filter(pl.Series(inside)), column[inside]


def spans(table: pl.DataFrame, dates: Dates) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row slices of intervals with both ends inclusive; a null end is open."""
    start = np.searchsorted(dates, table["start_date"].to_numpy().astype("datetime64[D]"), side="left")
    if "end_date" not in table.columns:
        return start, np.full(len(start), len(dates))
    last = table["end_date"].to_numpy().astype("datetime64[D]")
    return start, np.where(np.isnat(last), len(dates), np.searchsorted(dates, last, side="right"))
