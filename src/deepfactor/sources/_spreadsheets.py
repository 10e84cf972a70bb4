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
        frame: pl.DataFrame = book.load_sheet(
            0 if sheet is None else sheet, header_row=skip_rows, dtypes="string"
        ).to_polars()
    except fastexcel.FastExcelError as error:
        raise DataError(f"can't be read as a spreadsheet: {str(error).splitlines()[0]}", file=file) from None
    text = pl.all().cast(pl.String).str.strip_chars()
    frame = frame.select(text).select(pl.when(~pl.all().is_in(list(MISSING))).then(pl.all()))
    return frame.filter(~pl.all_horizontal(pl.all().is_null())) if frame.width else frame
