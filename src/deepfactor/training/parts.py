"""`Parts`: what only some networks read, each in a folder of its own beside the training arrays that all share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from deepfactor.core.arrays import Indices, Symbols
from deepfactor.core.errors import DamagedFile, DataError
from deepfactor.core.files import folder_lock, remove_litter
from deepfactor.core.spec import content_key
from deepfactor.core.system import raise_of_machine
from deepfactor.features.quarters import FundamentalQuarters
from deepfactor.training.arrays import damage_of, is_whole, map_arrays, save_arrays
from deepfactor.training.exposures import Exposures
from deepfactor.training.relations import Relations

Part = FundamentalQuarters | Relations | Exposures

_COMPLETE = "part.json"  # comes last
_KINDS: Mapping[str, type[Part]] = {"fundamentals": FundamentalQuarters, "graph": Relations, "exposures": Exposures}


@dataclass(frozen=True)
class Parts:
    """What a network reads beside windows and sizes; None = it doesn't.

    Attributes
    ----------
    fundamentals : the companies' last quarters as known on each day
    graph : who is related to whom on each day
    exposures : industry and value on each day
    content : name of each part -> what it was made from, as it enters the keys of jobs
    """

    fundamentals: FundamentalQuarters | None = None
    graph: Relations | None = None
    exposures: Exposures | None = None
    content: Mapping[str, Any] = field(default_factory=dict)

    def days(self) -> dict[str, int]:
        """For how many days each part is there."""
        found = {}
        if self.fundamentals is not None:
            found["fundamentals"] = len(self.fundamentals.change)
        if self.graph is not None:
            found["graph"] = len(self.graph.month)
        if self.exposures is not None:
            found["exposures"] = len(self.exposures.industry)
        return found

    def between(self, rows: slice) -> Parts:
        """Some of the days, as views."""
        return Parts(
            fundamentals=self.fundamentals and self.fundamentals.between(rows),
            graph=self.graph and self.graph.between(rows),
            exposures=self.exposures and self.exposures.between(rows),
            content=self.content,
        )

    def fingerprints(self, days: range, columns: Indices, symbols: Symbols) -> dict[str, str]:
        """Name of each part -> hash of what it says of the stocks `columns` on `days`."""
        found = {}
        if self.fundamentals is not None:
            found["fundamentals"] = _quarters_fingerprint(self.fundamentals, days, columns, symbols)
        if self.graph is not None:
            found["graph"] = self.graph.fingerprint(days, symbols)
        if self.exposures is not None:
            found["exposures"] = self.exposures.fingerprint(days, columns, symbols)
        return found


def _quarters_fingerprint(quarters: FundamentalQuarters, days: range, columns: Indices, symbols: Symbols) -> str:
    """Quarters are hashed where they change: whole they are gigabytes a fold."""
    digest = hashlib.sha256(json.dumps([quarters.names, symbols[columns].tolist()]).encode())
    before = np.full(len(columns), -2, np.int32)
    for t in days:
        now = quarters.change[t, columns]
        new = np.flatnonzero(now != before)
        for array in (new, quarters.values[now[new]], quarters.loss[now[new]], quarters.value[t, columns]):
            digest.update(np.ascontiguousarray(array).tobytes())
        before = now
    return digest.hexdigest()[:16]


def prepare_part(
    arrays: Path,
    name: str,
    content: Mapping[str, Any],
    build: Callable[[], Part],
    tell: Callable[[str], None] = lambda _: None,
) -> Path:
    """The folder ``<arrays>/<name>-<key>`` of a part; made by `build` unless it is complete and whole.

    `content` is what `build` makes it from; the market stands in the name of `arrays`. `tell` is told that what is
    damaged is made again.

    Raises
    ------
    UserError
        another process is writing it.
    OutOfResources
        the disk is full.
    """
    folder = arrays / f"{name}-{content_key(content)}"
    if not is_whole(folder, _COMPLETE, lambda folder: open_parts({name: folder}), tell):
        with folder_lock(folder):
            remove_litter(folder)
            part = build()
            held = {one.name: getattr(part, one.name) for one in fields(part)}
            own = {key: value for key, value in held.items() if isinstance(value, np.ndarray)}
            others = {key: value for key, value in held.items() if key not in own}
            save_arrays(folder, own, _COMPLETE, {"content": content, "held": others})
    return folder


def open_parts(folders: Mapping[str, Path]) -> Parts:
    """The parts of `prepare_part` by name, memory-mapped read-only.

    Raises
    ------
    DataError
        a folder is not what `prepare_part` writes.
    """
    found: dict[str, Any] = {}
    content = {}
    for name, folder in folders.items():
        kind: Any = _KINDS[name]
        if (damage := damage_of(folder)) is not None:
            raise DamagedFile(f"damaged arrays ({damage}): repeat the command, it makes them again", file=folder)
        try:
            said = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
            held = {key: tuple(value) if isinstance(value, list) else value for key, value in said["held"].items()}
            arrays = map_arrays(folder, [one.name for one in fields(kind) if one.name not in held])
            found[name], content[name] = kind(**arrays, **held), said["content"]
        except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError) as error:
            raise_of_machine(error)
            raise DataError(f"unreadable arrays ({error}): delete the folder and repeat", file=folder) from error
    return Parts(**found, content=content)
