"""Parquet files that are either the old or the new, never half."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl

from deepfactor.core.files import atomic_path

#: How polars tells the number of the system's error, which it hides otherwise.
_NUMBER = re.compile(r"\(os error (\d+)\)")


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
        except pl.exceptions.PolarsError as error:
            number = _NUMBER.search(str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), str(error)) from error
