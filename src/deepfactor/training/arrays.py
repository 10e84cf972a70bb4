"""Arrays on disk: written whole or not at all, opened memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfactor.core.files import atomic_path


def save_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``folder/<name>.npy`` each, atomically; the caller marks the folder as complete."""
    for name, array in arrays.items():
        with atomic_path(folder / f"{name}.npy") as temporary, temporary.open("wb") as handle:
            np.save(handle, array)


def map_arrays(folder: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays, memory-mapped read-only; as plain arrays on the mapped file: numpy's memmap class costs on every
    slice."""
    return {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in names}
