"""What scalings compute once, kept in memory or, for all processes and later runs, beside the training arrays."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from deepfactor.core.arrays import Bools, Bytes, Float32
from deepfactor.core.checksums import damaged, file_checksum, read_checksums, write_checksums
from deepfactor.core.errors import DamagedFile, UserError
from deepfactor.core.files import atomic_path, temporary_of
from deepfactor.features.base import Features
from deepfactor.training.scalings.base import Scaling, Standard, key_of
from deepfactor.training.splitting import split_features, split_rows

#: Bumped when a scaling's numbers change, so that nothing old is read.
VERSION = 1
_BLOCK = 64  # rows scaled at once


class Store:
    """Keeps each day's `Standard` and, of scalings that scale rows, the whole panel.

    Parameters
    ----------
    folder : Path, optional
        of the training arrays, whose content its name stands for. None = in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._kept: dict[tuple[str, int], Standard] = {}

    def standard(self, scaling: Scaling, t: int, make: Callable[[], Standard]) -> Standard:
        """Row t's standard, from what is kept or by `make`."""
        if scaling.part.SCALES == "rows" or not scaling.part.KEEP:
            return make()
        if self.folder is None:
            if (place := (key_of(scaling), t)) not in self._kept:
                self._kept[place] = make()
            return self._kept[place]
        path = self._place(scaling) / f"{t}.standard"
        standard = _read(path)
        if standard is None:
            standard = make()
            _write(path, standard)
        return standard

    def rows(self, scaling: Scaling, features: Features, eligible: Bools) -> Float32 | Bytes:
        """The (T, N, f) array that windows are cut from; made once where the scaling scales rows."""
        part, whole = scaling.part, range(len(features.values))
        if part.SCALES == "windows" or features.coded:
            return features.values

        def block(span: range) -> Float32:
            return part.rows(scaling.settings, features, eligible, span)

        if self.folder is None:
            return block(whole)
        return _kept(self._place(scaling) / "rows.npy", features.values.shape, block)

    def split(self, features: Features, days: int) -> tuple[Features, Store]:
        """The features split by an average over `days`, see `splitting`, and the store of what is made of them."""
        values = features.plain()

        def block(span: range) -> Float32:
            return split_rows(values, span, days)

        if self.folder is None:
            return split_features(features, block(range(len(values)))), Store()
        folder = self.folder / f"split-{days}-{VERSION}"
        kept = _kept(folder / "rows.npy", (*values.shape[:2], 2 * values.shape[2]), block)
        return split_features(features, kept), Store(folder)

    def _place(self, scaling: Scaling) -> Path:
        assert self.folder is not None
        return self.folder / f"scaled-{key_of(scaling)}-{VERSION}"


def _kept(path: Path, shape: tuple[int, ...], block: Callable[[range], Float32]) -> Float32:
    """The array (T, …) of a file, memory-mapped; made by `block`, some rows at a time, unless it is whole."""
    if not _is_whole(path):
        rows = range(shape[0])
        with atomic_path(path) as temporary:
            out = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
            for first in range(0, len(rows), _BLOCK):
                span = rows[first : first + _BLOCK]
                out[span.start : span.stop] = block(span)
            out.flush()
        write_checksums(path.parent, {path.name: file_checksum(path)})
    return np.asarray(np.load(path, mmap_mode="r"))


def _is_whole(path: Path) -> bool:
    """Whether the file is there and holds what was written."""
    try:
        checksums = read_checksums(path.parent) or {}
    except DamagedFile:
        return False
    return path.name in checksums and not damaged(path.parent, {path.name: checksums[path.name]})


def _write(path: Path, standard: Standard) -> None:
    """Its arrays behind a checksum; not synced, for a torn file is seen and made again."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, where a file is to be written: move it away and repeat the command")
    body = save({field.name: getattr(standard, field.name) for field in fields(standard)})
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    temporary.write_bytes(zlib.crc32(body).to_bytes(4, "little") + body)
    os.replace(temporary, path)


def _read(path: Path) -> Standard | None:
    """What `_write` wrote; None where there is nothing, or something else."""
    try:
        content = path.read_bytes()
    except PermissionError:
        raise
    except OSError:
        return None
    body = content[4:]
    return Standard(**load(body)) if content[:4] == zlib.crc32(body).to_bytes(4, "little") and body else None
