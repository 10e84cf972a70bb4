"""A sheet of a spreadsheet (.xlsx, .xls) as a table of text, read by fastexcel."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError, UserError
from deepfactor.core.optional import optional_package
from deepfactor.store.values import MISSING

_ABSENT = UserError(
    "a spreadsheet needs the package fastexcel: install deepfactor with its extra, pip install 'deepfactor[excel]', or "
    "save the sheet as CSV"
)


def rows_of_sheet(file: Path, sheet: str | None, skip_rows: int) -> pl.DataFrame:
    """The rows under the head of a sheet, as text; cells that say nothing are null.

    Parameters
    ----------
    sheet : its name; None = the first
    skip_rows : rows above the head

    Raises
    ------
    UserError
        fastexcel is missing; the message names the extra.
    DataError
        no spreadsheet, or no such sheet.
    """
    told = file.stat()
    return _read(file.absolute(), told.st_size, told.st_mtime_ns, sheet, skip_rows)


@lru_cache(maxsize=2)
def _read(file: Path, size: int, changed: int, sheet: str | None, skip_rows: int) -> pl.DataFrame:
    fastexcel = optional_package("fastexcel", _ABSENT)
    try:
        book = fastexcel.read_excel(str(file))
        if sheet is not None and sheet not in book.sheet_names:
            raise DataError(f"has no sheet {sheet!r}: it has {', '.join(book.sheet_names)}", file=file)
        page = book.load_sheet(0 if sheet is None else sheet, header_row=skip_rows, schema_sample_rows=None)
        frame: pl.DataFrame = page.to_polars()
    except fastexcel.FastExcelError as error:
        raise DataError(f"can't be read as a spreadsheet: {str(error).splitlines()[0]}", file=file) from None
    text = pl.DataFrame([_as_text(column) for column in frame]).select(pl.all().str.strip_chars())
    frame = text.select(pl.when(~pl.all().is_in(list(MISSING))).then(pl.all()))
    return frame.filter(~pl.all_horizontal(pl.all().is_null())) if frame.width else frame


def _as_text(column: pl.Series) -> pl.Series:
    """Cells as a CSV would have them: whole numbers without decimals, others with all of theirs."""
    if column.dtype.is_float() and ((column == column.floor()) & (column.abs() < 2.0**53)).fill_null(value=True).all():
        return column.cast(pl.Int64).cast(pl.String)
    return column.cast(pl.String)
