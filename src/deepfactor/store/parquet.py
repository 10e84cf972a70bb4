"""Parquet files: written whole or not at all, read by their own name, which is never a pattern (``M[1]``, ``g*``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from deepfactor.core.files import atomic_path
from deepfactor.core.system import system_error

#: What polars raises on a file that is not there, not readable or broken; the last is no `Exception`.
UNREADABLE = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)


def read_parquet(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """The rows of one file, or some of its columns; raises as polars does."""
    return pl.read_parquet(path.absolute(), columns=columns, glob=False)  # relative, "file:x" would be an address


def scan_parquet(files: Path | Sequence[Path], row_index_name: str | None = None) -> pl.LazyFrame:
    """One file, or several as one table, not read yet."""
    named = [file.absolute() for file in ([files] if isinstance(files, Path) else files)]
    return pl.scan_parquet(named, row_index_name=row_index_name, glob=False)


def parquet_schema(path: Path) -> pl.Schema:
    """Names and types of a file's columns; raises as polars does."""
    return scan_parquet(path).collect_schema()


def write_parquet(path: Path, frame: pl.DataFrame, **options: Any) -> None:
    """Write `frame` atomically; `options` are those of polars.

    Raises
    ------
    OutOfResources
        the disk is full; `path` is as it was.
    """
    with atomic_path(path) as temporary:
        try:
            frame.write_parquet(temporary, **options)
        except (pl.exceptions.PolarsError, OSError) as error:  # which hide the number
            if (fault := system_error(error)) is None or not fault[0]:
                raise
            raise OSError(fault[0], os.strerror(fault[0]), str(path)) from error
