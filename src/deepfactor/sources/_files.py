"""A vendor's rows out of a parquet or CSV file, and their values into our types; faults name file, row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.sources._mapping_parts import Column
from deepfactor.sources._marks import matches
from deepfactor.store.dates import NoDate, as_days
from deepfactor.store.parquet import scan_parquet
from deepfactor.store.schema import TABLES
from deepfactor.store.text_files import NoTable, form_to_read, open_text
from deepfactor.store.values import MISSING, kind_of

_ROW = "row of the file"
_FLAGS = {"1": True, "0": False, "true": True, "false": False, "True": True, "False": False}


#: Rows that are wanted: a column = its values, or its first and last date (None = open).
Among = Mapping[str, Sequence[str] | tuple[date | None, date | None]]


@dataclass(frozen=True)
class Extract:
    """Rows of a file, or of a query's result, that are wanted.

    Attributes
    ----------
    origin : where they come from: a file's path, or the table (ours) whose query gave them
    frame : the rows, as they were there; CSV as text
    numbers : their row numbers there, from 1 (a CSV's head not counted); None = all rows are here
    """

    origin: Path | str
    frame: pl.DataFrame
    numbers: pl.Series | None = None

    def __getitem__(self, column: str) -> pl.Series:
        return self.frame[column]

    def keep(self, mask: pl.Series) -> Extract:
        """The rows where `mask` holds."""
        numbers = pl.int_range(1, len(mask) + 1, eager=True) if self.numbers is None else self.numbers
        return Extract(self.origin, self.frame.filter(mask), numbers.filter(mask))

    def fault(self, message: str, column: str | None = None, position: int | None = None) -> DataError:
        """The error for `column`, and for the row at `position` (from 0) of `frame`."""
        row = position
        if position is not None:
            row = position + 1 if self.numbers is None else int(self.numbers[position])
        if isinstance(self.origin, Path):
            return DataError(message, file=self.origin, row=row, column=column)
        return DataError(message, table=self.origin, row=row, column=column)

    def where(self, values: Mapping[str, str | float | bool]) -> Extract:
        """The rows whose columns have these values."""
        extract = self
        for column, value in values.items():
            given = extract[column].cast(pl.String) if isinstance(value, str) else as_number(extract, column)
            extract = extract.keep(given == value)
        return extract


def read(
    file: Path,
    columns: Sequence[str],
    where: Mapping[str, str | float | bool],
    among: Among | None = None,
) -> Extract:
    """The `columns` of the rows whose columns have the values of `where`. CSV comes as text: ``000001`` stays a code.

    `among` leaves out rows before they are read, and their numbers: a column = its values, or its first and last date
    (None = open) where the file has it as dates.

    Raises
    ------
    DataError
        the file is missing, can't be read, or lacks a column.
    """
    if not file.is_file():
        raise DataError("there is no such file: give its folder with --folder, or mend the mapping", file=file)
    try:
        lazy = _scan(file, numbered=bool(among))
        there = lazy.collect_schema().names()
        for column in [*columns, *where]:
            if column not in there:
                known = ", ".join(name for name in there if name != _ROW)
                raise DataError(f"is not there; the file has {known}", file=file, column=column)
            if f"{column}_duplicated_0" in there:
                raise DataError("is there twice: give each column a name of its own", file=file, column=column)
        extract = _collected(file, lazy, list(dict.fromkeys([*columns, *where])), among or {})
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"can't be read as {file.suffix or 'parquet'}: {first_line(error)}", file=file) from None
    return extract.where(where)


def distinct(file: Path, column: str, where: Mapping[str, str | float | bool]) -> Extract:
    """The distinct values of a column, missing ones left out, without reading the others."""
    if where:
        extract = read(file, [column], where)
        return Extract(file, extract.frame.select(column).unique(maintain_order=True).drop_nulls())
    lazy, values = _scan(file), pl.col(column)
    if lazy.collect_schema().get(column) in (pl.String, pl.Categorical):  # codes come in runs, and text is slow to hash
        values = values.filter((values != values.shift(1)).fill_null(value=True))
    return Extract(file, lazy.select(values.unique().drop_nulls().sort()).collect())


def _scan(file: Path, *, numbered: bool = False) -> pl.LazyFrame:
    """A file, not read yet; `numbered` adds the column `_ROW`, from 0."""
    index = _ROW if numbered else None
    try:
        if form_to_read(file) == "parquet":
            return scan_parquet(file, index)
        table = open_text(file)
    except NoTable as error:
        raise DataError(f"can't be read: {error}", file=file, row=error.row) from None
    source = table.source.absolute() if isinstance(table.source, Path) else BytesIO(table.source)
    return pl.scan_csv(
        source,
        separator=table.separator,
        infer_schema=False,
        null_values=list(MISSING),
        row_index_name=index,
        glob=False,
    )


def _collected(
    file: Path,
    lazy: pl.LazyFrame,
    columns: list[str],
    among: Among,
) -> Extract:
    bounds = []
    for name, wanted in among.items():
        column = pl.col(name)
        if isinstance(wanted, tuple):
            if lazy.collect_schema()[name] != pl.Date:
                continue  # of another type: left to who converts it
            bounds += [column >= wanted[0]] if wanted[0] else []
            bounds += [column <= wanted[1]] if wanted[1] else []
        else:
            bounds.append(column.is_in(list(wanted)))
    if not bounds:
        return Extract(file, lazy.select(columns).collect())
    frame = lazy.filter(bounds).select(_ROW, *columns).collect()
    return Extract(file, frame.drop(_ROW), frame[_ROW].cast(pl.Int64) + 1)


def convert(extract: Extract, column: Column, name: str, table: str, date_format: str) -> pl.Series:
    """One column of ours in its type and unit (codes excepted, see `_codes`)."""
    dtype = TABLES[table].columns[name].dtype
    if column.names is not None:
        return _renamed(extract, column.source, column.names).alias(name)
    if column.matching is not None:
        return matches(extract[column.source], column.matching).alias(name)
    if column.equals is not None:
        text = isinstance(column.equals, str)
        value = extract[column.source].cast(pl.String) if text else as_number(extract, column.source)
        return (value == column.equals).alias(name)
    if dtype == pl.Date:
        return as_dates(extract, column.source, date_format).alias(name)
    if dtype == pl.Float64:
        return scaled(as_number(extract, column.source), column.multiply, column.divide).alias(name)
    return _cast(extract, column.source, dtype).alias(name)


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


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
