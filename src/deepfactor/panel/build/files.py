"""`.npy` files of a compiled panel: written, mapped, and grown by rows without copying what is there."""

from __future__ import annotations

import os
import shutil
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.arrays import AnyArray, Indices
from deepfactor.core.checksums import checksum

#: Rows that are widened at once: about a megabyte, so that it stays in the processor's cache.
_BLOCK = 64


def save(file: Path, array: AnyArray) -> str:
    """Write an array as `numpy.save` does, and sync it; its checksum, see `checksum_of`.

    A full disk is an `OSError` with its number, unlike there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    array = np.ascontiguousarray(array)
    with file.open("wb") as handle:
        handle.write(_head(array, len(array)))
        handle.write(_bytes(array))
        handle.flush()
        os.fsync(handle.fileno())
    return checksum_of(array)


def checksum_of(array: AnyArray, before: str | None = None) -> str:
    """Of an array's type, width and values, row by row: with that of the rows `before`, it goes on from there."""
    kind = f"{array.dtype.str} {array.shape[1:]}".encode()
    return checksum(_bytes(array), checksum(kind) if before is None else before)


def file_checksum_of(file: Path, rows: int | None) -> str:
    """`checksum_of` the first rows of a file, which may have grown since; None = of all.

    Raises
    ------
    OSError, ValueError
        the file is broken.
    """
    with warnings.catch_warnings(action="error"):
        try:
            array = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
        except OSError:
            raise
        except Exception as error:  # its head is parsed as Python, which raises all kinds of things where it is broken
            raise ValueError(f"{type(error).__name__}: {error}") from None
    if array.ndim == 0 or len(array) < (rows or 0):
        raise ValueError(f"shape {array.shape}, wanted {rows} rows")
    return checksum_of(array[:rows])


def _bytes(array: AnyArray) -> memoryview:
    """The bytes of an array in the order of its rows."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def mapped(file: Path, shape: tuple[int, ...]) -> AnyArray:
    """A read-only array over the first rows of a file, which may have grown since; a `ValueError` on another shape."""
    array = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    if array.shape[1:] != shape[1:] or len(array) < shape[0]:
        raise ValueError(f"{file.name} has shape {array.shape}, wanted {shape}")
    return array[: shape[0]]


def take_over(old: Path, new: Path, *, share: bool) -> None:
    """Make `new` the file `old`: the same one where `share` and the file system allow, else a copy."""
    new.parent.mkdir(exist_ok=True)
    if share:
        try:
            os.link(old, new)
        except PermissionError:  # a file system without hard links
            shutil.copyfile(old, new)
    else:
        shutil.copyfile(old, new)


def save_widened(file: Path, past: AnyArray, columns: Indices, fill: Any, rows: AnyArray) -> tuple[str, str]:
    """Write `past` (T₀, N₀) with its columns moved to `columns` (ascending) of N and `fill` elsewhere, then `rows`.

    Returns
    -------
    checksums of what was read and of what was written, see `checksum_of`.
    """
    breaks = np.flatnonzero(np.diff(columns) != 1) + 1
    runs = [(int(run[0]), len(run)) for run in np.split(columns, breaks)]
    block = np.full((_BLOCK, rows.shape[1]), fill, dtype=past.dtype)
    read, written = checksum_of(past[:0]), checksum_of(block[:0])
    file.parent.mkdir(exist_ok=True)
    with file.open("wb") as handle:
        handle.write(_head(rows, len(past) + len(rows)))
        for first in range(0, len(past), _BLOCK):
            piece, source = past[first : first + _BLOCK], 0
            for column, width in runs:
                block[: len(piece), column : column + width] = piece[:, source : source + width]
                source += width
            handle.write(_bytes(block[: len(piece)]))
            read, written = checksum_of(piece, read), checksum_of(block[: len(piece)], written)
        handle.write(_bytes(rows))
        handle.flush()
        os.fsync(handle.fileno())
    return read, checksum_of(rows, written)


def append(file: Path, rows: int, array: AnyArray) -> None:
    """Put `array` behind the first `rows` rows of `file` and sync it; what a killed append left there is overwritten.

    The head is replaced last, and has the same length whatever the number of rows: until then the file has `rows` rows.
    """
    old, new = _head(array, rows), _head(array, rows + len(array))
    content = _bytes(array)
    with file.open("r+b") as handle:
        if len(old) != len(new) or len(handle.read(len(old))) != len(old):
            raise ValueError(f"{file} is no array that can grow")
        start = len(old) + rows * (array.nbytes // max(len(array), 1))
        handle.seek(start)
        handle.write(content)
        handle.truncate(start + len(content))
        handle.flush()
        os.fsync(handle.fileno())
        handle.seek(0)
        handle.write(new)
        handle.flush()
        os.fsync(handle.fileno())


def _head(array: AnyArray, rows: int) -> bytes:
    """The head of a `.npy` file of `rows` rows such as those of `array`."""
    out = BytesIO()
    described = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(array))
    np.lib.format.write_array_header_1_0(out, {**described, "shape": (rows, *array.shape[1:])})
    return out.getvalue()
