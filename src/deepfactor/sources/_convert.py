"""A vendor's values into our types and units; faults name the row and the column (codes: see `_codes`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from deepfactor.sources._extract import Extract
from deepfactor.sources._formula import evaluated, parsed
from deepfactor.sources._mapping_columns import Column
from deepfactor.sources._marks import matches
from deepfactor.store.dates import NoDate, as_days
from deepfactor.store.schema import TABLES
from deepfactor.store.values import kind_of

_WHOLE = re.compile(r"-?\d+")
_FLAGS = {
    "1": True, "0": False, "true": True, "false": False, "True": True, "False": False, "1.0": True, "0.0": False
}  # fmt: skip


def convert(extract: Extract, column: Column, name: str, table: str, date_format: str) -> pl.Series:
    """One column of ours in its type and unit (codes excepted, see `_codes`)."""
    dtype = TABLES[table].columns[name].dtype
    if column.formula is not None:
        return numbers_of(extract, column).alias(name)
    extract = _cut(extract, column)
    if column.names is not None:
        return _renamed(extract, column.source, column.names).alias(name)
    if column.matching is not None:
        return matches(extract[column.source], column.matching).alias(name)
    if column.equals is not None:
        return has(extract, column.source, column.equals).alias(name)
    if dtype == pl.Date:
        return as_dates(extract, column.source, date_format).alias(name)
    if dtype == pl.Float64:
        return numbers_of(extract, column).alias(name)
    return _cast(extract, column.source, dtype).alias(name)


def numbers_of(extract: Extract, column: Column) -> pl.Series:
    """A column's numbers in our unit; what a comparison says as it is."""
    if column.formula is None:
        return scaled(as_number(_cut(extract, column), column.source), column.multiply, column.divide)
    found = parsed(column.formula)
    values = evaluated(column.formula, {name: _as_operand(extract, name) for name in found.columns})
    return values if found.flag else scaled(values, column.multiply, column.divide)


def numeric(table: str, columns: Mapping[str, Column]) -> frozenset[str]:
    """Columns (theirs) that are wanted as numbers alone; those of dates may be too, in formulas."""
    wanted: set[str] = set()
    other: set[str] = set()
    for name, column in columns.items():
        as_text = column.part or column.missing or column.names or column.matching or column.equals is not None
        number = TABLES[table].columns[name].dtype == pl.Float64 and not as_text
        (wanted if number or column.formula is not None else other).update(column.reads)
    return frozenset(wanted - other)


def where_holds(extract: Extract, values: Mapping[str, str | float | bool]) -> Extract:
    """The rows whose columns have these values."""
    for column, value in values.items():
        extract = extract.keep(has(extract, column, value))
    return extract


def has(extract: Extract, column: str, value: str | float | bool) -> pl.Series:
    """Where a column has a value, as text or as a number; null where it is missing.

    Text of a whole number is the same with decimals of 0, as pandas writes it beside missing ones; so is ``True`` in
    whatever letters.
    """
    if not isinstance(value, str):
        return as_number(extract, column) == value
    text = extract[column].cast(pl.String)
    if value.lower() in ("true", "false"):
        return text.str.to_lowercase() == value.lower()
    return (text.str.replace(r"^(-?\d+)\.0+$", "$1") if _WHOLE.fullmatch(value) else text) == value


def _as_operand(extract: Extract, column: str) -> pl.Series:
    """A column as numbers of a formula; a date as 20200102."""
    if extract[column].dtype in (pl.Date, pl.Datetime):
        return as_days(extract[column]).dt.strftime("%Y%m%d").cast(pl.Float64)
    return as_number(extract, column)


def _cut(extract: Extract, column: Column) -> Extract:
    """With the part of a column's text that is wanted, without what stands for missing."""
    if column.part is None and not column.missing:
        return extract
    text = extract[column.source].cast(pl.String)
    if column.missing:
        text = text.set(text.is_in(list(column.missing)).fill_null(value=False), None)
    if column.part is not None:
        text = text.str.extract(column.part, 1)
    return Extract(extract.origin, extract.frame.with_columns(text.alias(column.source)), extract.numbers)


def scaled(series: pl.Series, multiply: float | None, divide: float | None) -> pl.Series:
    """`series` in another unit, correctly rounded: 57 fen are 0.57 CNY to the last bit."""
    if multiply is None and divide is None:
        return series
    # By numpy: polars divides by a number as it multiplies by its inverse, which is off by a bit.
    values = series.cast(pl.Float64).to_numpy()
    values = values * (1.0 if multiply is None else multiply) / (1.0 if divide is None else divide)
    return pl.Series(series.name, values, nan_to_null=True)


def as_dates(extract: Extract, column: str, date_format: str) -> pl.Series:
    """A column as dates, as `deepfactor.store.dates` understands them; text and whole numbers by `date_format`."""
    try:
        return as_days(extract[column], date_format)
    except NoDate as error:
        where = "" if error.position is None else " (date_format in the mapping)"
        raise extract.fault(f"{error}{where}", column, error.position) from None


def as_number(extract: Extract, column: str) -> pl.Series:
    """A column as float64, NaN as null; a `DataError` for what is no number."""
    return _cast(extract, column, pl.Float64()).fill_nan(None)


def _renamed(extract: Extract, column: str, names: Mapping[str, str]) -> pl.Series:
    text = extract[column].cast(pl.String)
    unknown = (text.is_not_null() & ~text.is_in(list(names))).arg_true()
    if len(unknown):
        position = int(unknown[0])
        message = f"{text[position]!r} has no entry in the mapping's names ({', '.join(names)})"
        raise extract.fault(message, column, position)
    return text.replace_strict(names, return_dtype=pl.String)


def _cast(extract: Extract, column: str, dtype: pl.DataType) -> pl.Series:
    series = extract[column]
    if dtype == pl.Boolean and series.dtype == pl.String:
        out = series.replace_strict(_FLAGS, default=None, return_dtype=pl.Boolean)
    else:
        try:
            out = series.cast(dtype, strict=False)
        except pl.exceptions.PolarsError:
            raise extract.fault(f"holds {kind_of(series.dtype)}, wanted {dtype}", column, 0) from None
    return _require_kept(extract, column, out, f"is no {dtype}")


def _require_kept(extract: Extract, column: str, after: pl.Series, message: str) -> pl.Series:
    """No value may become null by conversion."""
    before = extract[column]
    lost = (before.is_not_null() & after.is_null()).arg_true()
    if len(lost):
        position = int(lost[0])
        raise extract.fault(f"{before[position]!r} {message}", column, position)
    return after
