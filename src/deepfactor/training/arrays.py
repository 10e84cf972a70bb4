"""Folders of arrays: written whole or not at all, with checksums, opened memory-mapped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.arrays import AnyArray
from deepfactor.core.checksums import checksum, damaged, file_checksum, read_checksums, write_checksums
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import atomic_path, json_text, write_text


def save_arrays(
    folder: Path, arrays: Mapping[str, AnyArray], complete: str, content: Any, same: Mapping[str, Path] | None = None
) -> None:
    """Write ``folder/<name>.npy`` each, atomically, their checksums, and last `content` as the JSON file `complete`.

    `same` : files that hold an array already, by its name; where the disk can, they are one with the new ones.
    """
    checksums = {}
    for name, array in arrays.items():
        with atomic_path(folder / f"{name}.npy") as temporary:
            if not (same and name in same and _linked(same[name], temporary)):
                with temporary.open("wb") as handle:
                    np.save(handle, array)
        checksums[f"{name}.npy"] = file_checksum(folder / f"{name}.npy")
    text = json_text(content)
    write_checksums(folder, {**checksums, complete: checksum(text.encode())})
    write_text(folder / complete, text)


def _linked(file: Path, name: Path) -> bool:
    """Give a file a second name; False where the disk can't."""
    try:
        name.unlink(missing_ok=True)
        name.hardlink_to(file)
    except OSError:
        return False
    return True


def map_arrays(folder: Path, names: Iterable[str]) -> dict[str, AnyArray]:
    """The arrays, memory-mapped read-only; as plain arrays on the mapped file: numpy's memmap class costs on every
    slice."""
    return {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in names}


def damage_of(folder: Path) -> str | None:
    """What is wrong with files of a complete folder, compared once a modification; None where nothing is, or where they
    were written before there were checksums."""
    try:
        wrong = damaged(folder, read_checksums(folder) or {})
    except DamagedFile as error:
        return str(error)
    return ", ".join(f"{name} {why}" for name, why in sorted(wrong.items())) or None


def is_whole(folder: Path, complete: str, read: Callable[[Path], object], tell: Callable[[str], None]) -> bool:
    """Whether `folder` holds what `save_arrays` wrote; `tell` is told where it is complete, but something else.

    One of before there were checksums gets them where `read` can read it.
    """
    if not (folder / complete).exists():
        return False
    damage = damage_of(folder)
    try:
        if damage is None:
            read(folder)
    except DataError as error:
        damage = str(error)
    if damage is not None:
        tell(f"the training arrays in {folder} are damaged ({damage}): made again")
        return False
    if read_checksums(folder) is None:
        with contextlib.suppress(OSError):  # a folder that can't be written is taken as it is
            files = [*folder.glob("*.npy"), folder / complete]
            write_checksums(folder, {file.name: file_checksum(file) for file in files})
    return True
