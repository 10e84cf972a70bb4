"""What rows are, whatever the file that holds them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.store.parquet import UNREADABLE, read_parquet


def content_hash(frame: pl.DataFrame) -> str:
    """SHA-256 of column names, types, values and nulls: the same rows have the same hash in any version of polars."""
    digest = hashlib.sha256()
    for series in frame:
        digest.update(f"{series.name}:{series.dtype}:{series.len()};".encode())
        whole = series.null_count() == 0  # saves two passes of polars a column
        missing = np.zeros(series.len(), dtype=bool) if whole else series.is_null().to_numpy()
        digest.update(np.packbits(missing).tobytes())
        if series.dtype == pl.String:
            names = series.unique().drop_nulls().sort()
            digest.update("\n".join(names).encode())
            codes = series.cast(pl.Enum(names)).to_physical()
            digest.update((codes if whole else codes.fill_null(0)).to_numpy().astype("<u4").tobytes())
        else:
            values = series.cast(pl.Int32) if series.dtype == pl.Boolean else series.to_physical()
            digest.update(np.ascontiguousarray((values if whole else values.fill_null(0)).to_numpy()).tobytes())
    return digest.hexdigest()


def hash_of_rows(file: Path) -> str:
    """`content_hash` of a part that is read; what polars makes of a broken one is a `ValueError`."""
    if not file.exists():
        raise FileNotFoundError(file)
    try:
        return content_hash(read_parquet(file))
    except UNREADABLE as error:
        raise ValueError(str(error)) from None
