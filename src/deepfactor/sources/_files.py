"""Reading a vendor's parquet or CSV file, and its values into our types; every fault names file, row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.sources._mapping import Column, Pattern
from deepfactor.store.schema import TABLES

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "-", "--")


def scan(file: Path, columns: Sequence[str]) -> pl.LazyFrame:
    """The file's `columns`, lazily. CSV comes as text, so that ``000001`` stays a code.

    Raises
    ------
    DataError
        the file is missing, can't be read, or lacks a column.
    """
    if not file.is_file():
        raise DataError("there is no such file: give its folder with --folder, or mend the mapping", file=file)
    try:
        if file.suffix == ".csv":
            frame = pl.scan_csv(file, infer_schema=False, null_values=list(_MISSING))
        else:
            frame = pl.scan_parquet(file)
        there = frame.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"can't be read as {file.suffix or 'parquet'}: {_first_line(error)}", file=file) from None
    for column in columns:
        if column not in there:
            raise DataError(f"is not there; the file has {', '.join(there)}", file=file, column=column)
    return frame.select(list(dict.fromkeys(columns)))


def collect(frame: pl.LazyFrame, file: Path) -> pl.DataFrame:
    """The rows; a `DataError` where the file breaks off or its bytes are damaged."""
    try:
        return frame.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"can't be read: {_first_line(error)}", file=file) from None


def keep_where(frame: pl.LazyFrame, where: Mapping[str, str | float | bool]) -> pl.LazyFrame:
    """Rows whose columns have the wanted values."""
    for column, value in where.items():
        given = pl.col(column).cast(pl.String) if isinstance(value, str) else pl.col(column)
        frame = frame.filter(given == value)
    return frame


def codes(series: pl.Series, patterns: Sequence[Pattern], file: Path) -> pl.Series:
    """Vendor's codes as ours, as an `Enum` of the sorted codes (so that it sorts as text does)."""
    old = series.unique().drop_nulls()
    text = old.cast(pl.String).to_list()
    new = [next((c for c in (p.apply(code) for p in patterns) if c is not None), code) for code in text]
    clash = _first_clash(text, new)
    if clash:
        raise DataError(f"two codes become one: {clash}", file=file, column=series.name)
    if not new:
        return series.cast(pl.Enum([]))
    return series.replace_strict(old, pl.Series(new), return_dtype=pl.Enum(sorted(new)))


def _first_clash(old: Sequence[str], new: Sequence[str]) -> str | None:
    seen: dict[str, str] = {}
    for a, b in zip(old, new, strict=True):
        if b in seen:
            return f"{seen[b]} and {a} → {b}"
        seen[b] = a
    return None


def convert(series: pl.Series, name: str, table: str, column: Column, date_format: str, file: Path) -> pl.Series:
    """One column in our type and unit (codes excepted, see `codes`)."""
    dtype = TABLES[table].columns[name].dtype
    if column.names is not None:
        series = _renamed(series, column.names, file)
    if column.equals is not None:
        same = series.cast(pl.String) if isinstance(column.equals, str) else as_number(series, file)
        return (same == column.equals).alias(name)
    if dtype == pl.Date:
        return as_dates(series, date_format, file).alias(name)
    if dtype == pl.Float64:
        return scaled(as_number(series, file), column.multiply, column.divide).alias(name)
    return _cast(series, dtype, file).alias(name)


def scaled(series: pl.Series, multiply: float | None, divide: float | None) -> pl.Series:
    """`series` in another unit."""
    if multiply is not None:
        series = series * multiply
    return series / divide if divide is not None else series


def as_number(series: pl.Series, file: Path) -> pl.Series:
    """`series` as float64, NaN as null; a `DataError` for what is no number."""
    return _cast(series, pl.Float64(), file).fill_nan(None)


def _renamed(series: pl.Series, names: Mapping[str, str], file: Path) -> pl.Series:
    text = series.cast(pl.String)
    unknown = text.unique().drop_nulls().filter(~text.unique().drop_nulls().is_in(list(names))).sort().to_list()
    if unknown:
        row = int((text == unknown[0]).arg_true()[0]) + 1
        raise DataError(
            f"{unknown[0]!r} has no entry in the mapping's names ({', '.join(names)})",
            file=file,
            row=row,
            column=series.name,
        )
    return text.replace_strict(names, return_dtype=pl.String)


def _cast(series: pl.Series, dtype: pl.DataType, file: Path) -> pl.Series:
    if dtype == pl.Boolean and series.dtype == pl.String:
        flags = {"1": True, "0": False, "true": True, "false": False, "True": True, "False": False}
        out = series.replace_strict(flags, default=None, return_dtype=pl.Boolean)
    else:
        out = series.cast(dtype, strict=False)
    return _require_kept(series, out, f"is no {dtype}", file)


def as_dates(series: pl.Series, date_format: str, file: Path) -> pl.Series:
    """`series` as dates; text and whole numbers by `date_format`."""
    if series.dtype == pl.Date:
        return series
    if series.dtype == pl.Datetime:
        return series.dt.date()
    out = series.cast(pl.String).str.to_date(date_format, strict=False)
    return _require_kept(series, out, f"is no date of the form {date_format} (set date_format in the mapping)", file)


def _require_kept(before: pl.Series, after: pl.Series, message: str, file: Path) -> pl.Series:
    """No value may become null by conversion."""
    lost = (before.is_not_null() & after.is_null()).arg_true()
    if lost.is_empty():
        return after
    first = int(lost[0])
    raise DataError(f"{before[first]!r} {message}", file=file, row=first + 1, column=before.name)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
