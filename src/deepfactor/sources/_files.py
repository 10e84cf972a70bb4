"""A vendor's rows out of files: parquet, Feather, text and spreadsheets; faults name file, row and column."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.sources._convert import has, where_holds
from deepfactor.sources._extract import Among, Extract, Pieces
from deepfactor.sources._mapping_columns import Origin
from deepfactor.sources._patterns import Found
from deepfactor.sources._spreadsheets import rows_of_sheet
from deepfactor.store.parquet import scan_parquet
from deepfactor.store.text_files import NoTable, form_to_read, open_text
from deepfactor.store.values import MISSING

_ROW = "row of the file"
#: A column that stands for the rows, where none of the file's is wanted.
_ANY = "any of the file"
#: Columns of a wide table made long.
CODE, VALUE = "code", "value"
_AS_IT_IS = Origin()
#: Formats of days whose text is in their order, and such a text.
_YEAR_FIRST = ("%Y-%m-%d", "%Y%m%d")
_DAY = r"^\s*(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?:\D.*)?$"


def read(
    files: Sequence[Found],
    columns: Sequence[str],
    where: Mapping[str, str | float | bool],
    among: Among | None = None,
    form: Origin = _AS_IT_IS,
    numbers: Collection[str] = (),
    encodings: dict[Path, str] | None = None,
) -> Extract:
    """The `columns` of the rows whose columns have the values of `where`. CSV comes as text: ``000001`` stays a code.

    Several files come as one table, those columns that their names say among the others.

    Parameters
    ----------
    among : leaves out rows before they are read, and their numbers: a column = its values, or its first and last date
        (None = open) where the file has it as dates
    form : how the files are to be read
    numbers : columns of text that may come as float64 where every value is a number, in a third of the memory
    encodings : takes the encoding of each file that is text

    Raises
    ------
    DataError
        a file is missing, can't be read, or lacks a column.
    """
    wanted = list(dict.fromkeys([*columns, *where, *form.order_by, *form.must_be]))
    plain = set(numbers) - {*where, *form.order_by, *form.must_be}
    parts = [_with_numbers(_read(found, wanted, among or {}, form, encodings), plain) for found in files]
    extract = _require(parts[0] if len(parts) == 1 else _together(files, parts), form.must_be)
    if form.order_by:
        keys = extract.frame.select(pl.col(name).cast(pl.String) for name in form.order_by)
        order = keys.with_row_index("place").sort(*form.order_by, maintain_order=True)["place"]
        extract = extract.taken(order)
    return where_holds(extract, where)


def _with_numbers(extract: Extract, columns: Collection[str]) -> Extract:
    """Columns of text as float64 where no value is lost by it; NaN stays as it was written."""
    made = []
    for name in columns:
        text = extract.frame[name] if name in extract.frame.columns else None
        if text is None or text.dtype != pl.String:
            continue
        values = text.cast(pl.Float64, strict=False)
        if values.null_count() == text.null_count():
            made.append(values)
    return Extract(extract.origin, extract.frame.with_columns(made), extract.numbers) if made else extract


def distinct(
    files: Sequence[Found], column: str, where: Mapping[str, str | float | bool], form: Origin = _AS_IT_IS
) -> Extract:
    """The distinct values of a column, missing ones left out, without reading the others."""
    parts = []
    for found in files:
        if where or not form.as_it_is or found.named:
            extract = where_holds(_read(found, list(dict.fromkeys([column, *where])), {}, form), where)
            values = extract.frame.select(column).unique(maintain_order=True).drop_nulls()
        else:
            values = _distinct(found.path, column)
        parts.append(values)
    origin = files[0].path if len(files) == 1 else Pieces(tuple(one.path for one in files), (0,) * len(files))
    if len(parts) == 1:
        return Extract(origin, parts[0])
    return Extract(origin, pl.concat(parts, how="vertical_relaxed").unique(maintain_order=True))


def _distinct(file: Path, column: str) -> pl.DataFrame:
    lazy, values = scan(file), pl.col(column)
    if lazy.collect_schema().get(column) in (pl.String, pl.Categorical):  # codes come in runs, and text is slow to hash
        values = values.filter((values != values.shift(1)).fill_null(value=True))
    return lazy.select(values.unique().drop_nulls().sort()).collect()


def _together(files: Sequence[Found], parts: Sequence[Extract]) -> Extract:
    """Rows of several files as one table."""
    starts, rows, numbers = [], 0, []
    for part in parts:
        starts.append(rows)
        numbers.append(part.numbers)
        rows += part.frame.height
    paths = tuple(found.path for found in files)
    if any(one is not None for one in numbers):  # then numbers of a file may be beyond its rows that are here
        starts = [0]
        for part in parts[:-1]:
            last = part.numbers.max() if part.numbers is not None else part.frame.height
            starts.append(starts[-1] + int(last or 0))  # type: ignore[arg-type]  # of integers
    try:
        frame = pl.concat([part.frame for part in parts], how="vertical_relaxed")
    except pl.exceptions.PolarsError:
        raise _of_other_types(parts) from None
    if all(one is None for one in numbers):
        return Extract(Pieces(paths, tuple(starts)), frame)
    counted = [
        (part.numbers if part.numbers is not None else pl.int_range(1, part.frame.height + 1, eager=True)) + start
        for part, start in zip(parts, starts, strict=True)
    ]
    return Extract(Pieces(paths, tuple(starts)), frame, pl.concat(counted))


def _of_other_types(parts: Sequence[Extract]) -> DataError:
    """The error for the first file whose columns don't go together with those of the first."""
    for part in parts[1:]:
        for name, dtype in part.frame.schema.items():
            first = parts[0].frame.schema[name]
            try:
                pl.concat([one.frame.select(name).head(1) for one in (parts[0], part)], how="vertical_relaxed")
            except pl.exceptions.PolarsError:
                return part.fault(f"holds {dtype}, in {parts[0].origin} it holds {first}: write all alike", name)
    return parts[0].fault("the files' columns don't go together")


def _read(
    found: Found, wanted: Sequence[str], among: Among, form: Origin, encodings: dict[Path, str] | None = None
) -> Extract:
    file = found.path
    if not file.is_file():
        raise DataError("there is no such file: give its folder with --folder, or mend the mapping", file=file)
    own = [name for name in wanted if name not in found.named]
    among = {} if form.wide is not None else among
    try:
        lazy = scan(file, numbered=bool(among), form=form, encodings=encodings)
        if form.wide is not None:
            lazy = _long(file, lazy, form)
        there = lazy.collect_schema().names()
        if both := sorted(set(found.named) & set(there)):
            what = "is a column of the file and named in braces: name the brace otherwise"
            raise DataError(what, file=file, column=both[0])
        theirs = {name: _name_there(file, name, there, form) for name in own}
        present = {name: column for name, column in theirs.items() if column is not None}
        bounds = {name: span for name, span in among.items() if name in present}
        renamed = [pl.col(column).alias(name) for name, column in present.items()] or [pl.first().alias(_ANY)]
        lazy = lazy.select(*([_ROW] if among else []), *renamed)
        as_text = getattr(form, "date_format", None) in _YEAR_FIRST
        extract = _collected(file, lazy, list(present) or [_ANY], bounds, as_text=as_text)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"can't be read as {file.suffix or 'parquet'}: {first_line(error)}", file=file) from None
    absent = [pl.lit(None, dtype=pl.String).alias(name) for name, column in theirs.items() if column is None]
    said = [pl.lit(text, dtype=pl.String).alias(name) for name, text in found.named.items() if name in wanted]
    frame = extract.frame.with_columns(*absent, *said).select(wanted)
    if form.wide is not None:
        return _rows_of_wide(file, frame)
    return Extract(file, frame, extract.numbers)


def _name_there(file: Path, name: str, there: Sequence[str], form: Origin) -> str | None:
    """What a file calls a column: by its name or another of it; None where it may lack it.

    Raises
    ------
    DataError
        it is not there, or twice.
    """
    column = next((one for one in (name, *form.aliases.get(name, ())) if one in there), None)
    if column is None:
        if name in form.may_lack:
            return None
        known = ", ".join(one for one in there if one != _ROW)
        raise DataError(f"is not there; the file has {known}", file=file, column=name)
    if f"{column}_duplicated_0" in there:
        raise DataError("is there twice: give each column a name of its own", file=file, column=column)
    return column


def _long(file: Path, lazy: pl.LazyFrame, form: Origin) -> pl.LazyFrame:
    """A wide table, a column a security, as rows of a day, a code and a value."""
    assert form.wide is not None
    there = lazy.collect_schema().names()
    day = _name_there(file, form.wide, there, form)
    codes = [name for name in there if name not in (day, _ROW)]
    text = lazy.select(pl.col(str(day)).alias(form.wide), *(pl.col(codes).cast(pl.String) for _ in codes[:1]))
    return text.unpivot(index=[form.wide], on=codes, variable_name=CODE, value_name=VALUE)


def _rows_of_wide(file: Path, frame: pl.DataFrame) -> Extract:
    """Rows of a table that was wide, without empty cells, numbered as they stood."""
    height = frame.height // frame[CODE].n_unique() if CODE in frame.columns and frame.height else frame.height
    numbers = pl.Series(np.arange(frame.height) % max(height, 1) + 1)
    extract = Extract(file, frame, numbers)
    return extract.keep(frame[VALUE].is_not_null()) if VALUE in frame.columns else extract


def scan(
    file: Path, *, numbered: bool = False, form: Origin = _AS_IT_IS, encodings: dict[Path, str] | None = None
) -> pl.LazyFrame:
    """A file, not read yet; `numbered` adds the column `_ROW`, from 0."""
    index = _ROW if numbered else None
    try:
        kind = form_to_read(file, more=("arrow", "excel"))
        if kind == "parquet":
            return scan_parquet(file, index)
        if kind == "arrow":
            with file.open("rb") as handle:
                frame = pl.read_ipc(handle)
            return (frame.with_row_index(index) if index else frame).lazy()
        if kind == "excel":
            frame = rows_of_sheet(file, form.sheet, form.skip_rows)
            return (frame.with_row_index(index) if index else frame).lazy()
        table = open_text(file, form.skip_rows)
        if encodings is not None:
            encodings[file] = table.encoding
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
    *,
    as_text: bool = False,
) -> Extract:
    """The rows that are wanted; `as_text` = of days as text too, as far as their digits tell."""
    bounds = []
    for name, wanted in among.items():
        column = pl.col(name)
        if isinstance(wanted, tuple):
            dtype = lazy.collect_schema()[name]
            if as_text and dtype == pl.String:
                bounds.append(_may_lie_within(column, wanted))
            if dtype != pl.Date:
                continue  # of another type: left to who converts it
            bounds += [column >= wanted[0]] if wanted[0] else []
            bounds += [column <= wanted[1]] if wanted[1] else []
        else:
            bounds.append(column.is_in(list(wanted)))
    if not bounds:
        return Extract(file, lazy.select(columns).collect())
    frame = lazy.filter(bounds).select(_ROW, *columns).collect()
    return Extract(file, frame.drop(_ROW), frame[_ROW].cast(pl.Int64) + 1)


def _may_lie_within(text: pl.Expr, span: tuple[date | None, date | None]) -> pl.Expr:
    """Where a day as text lies in a span or a day beside it (a time with a zone moves by one), or isn't understood."""
    day = text.str.replace(_DAY, "$1$2$3")
    outside = pl.lit(value=False)
    if span[0] is not None and span[0] > date(1900, 1, 1):
        outside = outside | (day < f"{span[0] - timedelta(days=1):%Y%m%d}")
    if span[1] is not None and span[1] < date(9999, 1, 1):
        outside = outside | (day > f"{span[1] + timedelta(days=1):%Y%m%d}")
    return ~((day.str.len_bytes() == 8) & day.str.contains(r"^\d{8}$") & outside).fill_null(value=False)


def _require(extract: Extract, values: Mapping[str, str | float | bool]) -> Extract:
    """Every row has these values."""
    for column, value in values.items():
        other = ~has(extract, column, value).fill_null(value=False)
        if other.any():
            at = int(other.arg_max() or 0)
            raise extract.fault(f"is {extract[column][at]!r}, wanted {value!r} on every row (must_be)", column, at)
    return extract


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
