"""What stands for "missing" in text, and the names of types in a user's words."""

from __future__ import annotations

import polars as pl

#: Text that says that there is no value, as pandas, R, SQL, Excel and people write it.
MISSING = (
    "",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "NaN",
    "nan",
    "NaT",
    "null",
    "NULL",
    "None",
    "none",
    "\\N",
    "-",
    "--",
)

_KINDS: tuple[tuple[type[pl.DataType], str], ...] = (
    (pl.List, "lists"),
    (pl.Array, "lists"),
    (pl.Struct, "records"),
    (pl.Binary, "bytes"),
    (pl.Duration, "durations"),
    (pl.Time, "times of day"),
    (pl.Datetime, "times"),
    (pl.Date, "dates"),
    (pl.Boolean, "true and false"),
    (pl.Categorical, "categories"),
    (pl.Enum, "categories"),
    (pl.String, "text"),
)


def kind_of(dtype: pl.DataType) -> str:
    """A column's type as a user would say it, with polars' name: ``lists (List(Int64))``."""
    word = next((word for kind, word in _KINDS if isinstance(dtype, kind)), None)
    return f"{word} ({dtype})" if word else str(dtype)
