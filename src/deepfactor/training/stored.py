"""`StoredInputs`: what only some networks read, each input in a folder beside the training arrays that all share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from deepfactor.core.arrays import Indices, Symbols
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import remove_litter
from deepfactor.core.leases import folder_lease
from deepfactor.core.spec import content_key
from deepfactor.core.system import raise_of_machine
from deepfactor.inputs.base import ROOM, FromMarket, Held
from deepfactor.training.arrays import damage_of, is_whole, map_arrays, save_arrays

_COMPLETE = "part.json"  # comes last


@dataclass(frozen=True)
class StoredInputs:
    """What a network reads beside windows and sizes.

    Attributes
    ----------
    held : input -> what is kept of it
    content : name of the input's folder -> what it was made from, as it enters the keys of jobs
    """

    held: Mapping[str, Held] = field(default_factory=dict)
    content: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def days(self) -> dict[str, int]:
        """For how many days each input is there."""
        return {name: one.days for name, one in self.held.items()}

    def between(self, rows: slice) -> StoredInputs:
        """Some of the days, as views."""
        return StoredInputs({name: one.between(rows) for name, one in self.held.items()}, self.content)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        values = (getattr(one, of.name) for one in self.held.values() for of in fields(cast(Any, one)))
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))

    def fingerprints(self, days: range, columns: Indices, symbols: Symbols) -> dict[str, str]:
        """Name of each folder -> hash of what it says of the stocks `columns` on `days`."""
        return {_kept(name).FOLDER: one.fingerprint(days, columns, symbols) for name, one in self.held.items()}


def _kept(name: str) -> FromMarket[Any]:
    part = ROOM.load(name)
    assert part.KEPT, f"nothing is kept of {name}"
    return part


def prepare_input(
    arrays: Path,
    name: str,
    content: Mapping[str, object],
    build: Callable[[], Held],
    tell: Callable[[str], None] = lambda _: None,
    *,
    same: Mapping[str, Path] | None = None,
) -> Path:
    """The folder ``<arrays>/<folder>-<key>`` of the input `name`; made by `build` unless it is complete and whole.

    `content` is what `build` makes it from; the market stands in the name of `arrays`. `tell` is told that what is
    damaged is made again. `same`: files that hold an array of it already, by its name.

    Raises
    ------
    UserError
        another process is writing it.
    OutOfResources
        the disk is full.
    """
    folder = arrays / f"{_kept(name).FOLDER}-{content_key(content)}"
    if not is_whole(folder, _COMPLETE, lambda folder: open_inputs({name: folder}), tell):
        with folder_lease(folder):
            remove_litter(folder)
            made: Any = build()  # a dataclass
            held = {one.name: getattr(made, one.name) for one in fields(made)}
            own = {key: value for key, value in held.items() if isinstance(value, np.ndarray)}
            others = {key: value for key, value in held.items() if key not in own}
            save_arrays(folder, own, _COMPLETE, {"content": content, "held": others}, same)
    return folder


def open_inputs(folders: Mapping[str, Path]) -> StoredInputs:
    """The inputs of `prepare_input` by name, memory-mapped read-only.

    Raises
    ------
    DataError
        a folder is not what `prepare_input` writes.
    """
    kept: dict[str, Held] = {}
    content = {}
    for name, folder in folders.items():
        kind: Any = _kept(name).HELD  # a dataclass
        if (damage := damage_of(folder)) is not None:
            raise DamagedFile(f"damaged arrays ({damage}): repeat the command, it makes them again", file=folder)
        try:
            said = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
            held = {key: tuple(value) if isinstance(value, list) else value for key, value in said["held"].items()}
            arrays = map_arrays(folder, [one.name for one in fields(kind) if one.name not in held])
            kept[name], content[_kept(name).FOLDER] = kind(**arrays, **held), said["content"]
        except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError) as error:
            raise_of_machine(error)
            raise DataError(f"unreadable arrays ({error}): delete the folder and repeat", file=folder) from error
    return StoredInputs(kept, content)
