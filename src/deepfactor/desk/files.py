"""The desk's files: CSV that people open and programs read back bit for bit, and one JSON that says what they are.

A folder is whole once its JSON is there, which is written last and knows the hashes of the others.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.arrays import AnyArray, Float64, Symbols
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import atomic_path, file_hash, write_json

#: With a mark, by which Excel knows the encoding.
ENCODING = "utf-8-sig"


def csv_text(columns: Mapping[str, AnyArray]) -> str:
    """Columns of one length as CSV: numbers so that they read back as they are, NaN and NaT empty."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(_cell, values.tolist()) for values in columns.values()), strict=True))
    return out.getvalue()


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if np.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def write_csv(path: Path, columns: Mapping[str, AnyArray]) -> None:
    """Write `csv_text`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(csv_text(columns), encoding=ENCODING, newline="")


def write_folder(
    folder: Path, name: str, tables: Mapping[str, Mapping[str, AnyArray]], content: Mapping[str, object]
) -> None:
    """Write `tables` as ``<table>.csv`` into `folder`, then `content` and their hashes as the JSON `name`."""
    (folder / name).unlink(missing_ok=True)
    for table, columns in tables.items():
        write_csv(folder / f"{table}.csv", columns)
    files = {f"{table}.csv": file_hash(folder / f"{table}.csv") for table in tables}
    write_json(folder / name, {**content, "files": files})


def read_folder(folder: Path, name: str, what: str, keys: Iterable[str] = ()) -> Any:
    """The JSON object `name` of a whole folder, which has `keys`, its files compared with their hashes.

    Raises
    ------
    DataError
        no such folder, or a killed command's (`what` makes it); a `DamagedFile` where a file was changed since.
    """
    path = folder / name
    if not path.is_file():
        raise DataError(f"is no folder that `deepfactor {what}` has made, or one that it has not ended", file=folder)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files: dict[str, str] = content["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"can't be read ({error}): repeat `deepfactor {what}`", file=path) from None
    if lacking := [key for key in keys if key not in content]:
        raise DamagedFile(
            f"lacks {', '.join(lacking)}, as another version wrote it: repeat `deepfactor {what}`", file=path
        )
    for file, wanted in files.items():
        if not (folder / file).is_file() or file_hash(folder / file) != wanted:
            raise DamagedFile(
                f"was changed or removed since `deepfactor {what}` wrote it: repeat that; what it shall do otherwise "
                "is said by its lists and constraints, so that it stays traced",
                file=folder / file,
            )
    return content


def read_columns(path: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Columns of one of our CSV files, as text."""
    with path.open(encoding=ENCODING, newline="") as handle:
        rows = list(csv.DictReader(handle))
    return {name: [row[name] for row in rows] for name in names}


def read_aligned(path: Path, symbols: Symbols, names: Sequence[str]) -> dict[str, Float64]:
    """Columns of numbers of one of our CSV files, (N,) over a market's `symbols`: 0 where there is no row, NaN where
    the cell is empty.

    Raises
    ------
    DataError
        a row of a stock that the market doesn't have: it isn't the market that the file was made from.
    """
    columns = read_columns(path, ("symbol", *names))
    own = np.array(columns["symbol"], dtype=np.str_)
    at = np.searchsorted(symbols, own)
    found = np.minimum(at, len(symbols) - 1)
    strange = np.flatnonzero(symbols[found] != own)
    if len(strange):
        row = int(strange[0]) + 1
        raise DataError(f"{own[row - 1]} is no stock of this market: is it another one?", file=path, row=row)
    aligned = {}
    for name in names:
        values = np.zeros(len(symbols))
        values[at] = [float(text) if text else np.nan for text in columns[name]]
        aligned[name] = values
    return aligned


def arrays_key(*arrays: AnyArray) -> str:
    """16 hex digits that name the content of numeric arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
