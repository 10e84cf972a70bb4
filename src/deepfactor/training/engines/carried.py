"""What a node that doesn't share the folders of the command is sent, and what it sends back.

Folders that are read travel once a node, whose name stands for what they hold; they stay there for later commands, in
the system's folder for temporary files. The folder that a task writes travels with it, and comes back as it grows.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from deepfactor.core.arrays import Bytes
from deepfactor.core.errors import InUse
from deepfactor.core.files import atomic_path, folder_lock

#: Bytes of small files that travel together.
_TOGETHER = 16 * 2**20
_WHOLE = ".whole"  # comes last
_LOOK = 0.5  # seconds after which a folder that another worker unpacks is looked at again

#: Files by their name below a folder.
Files = dict[str, Bytes]
#: What Ray knows an object by.
Reference = Any


@dataclass(frozen=True)
class Carried:
    """What a task is sent: references to the folders that it reads, and what the one that it writes holds."""

    reads: Mapping[Path, Sequence[Reference]]
    writes: Path
    files: Files


def pack(folder: Path, put: Callable[[Files], Reference]) -> list[Reference]:
    """A folder's files as objects of the cluster."""
    return [put(files) for files in _bundles(folder)]


def held(folder: Path) -> Files:
    """What a folder holds, but for hidden files."""
    return {path.relative_to(folder).as_posix(): np.fromfile(path, np.uint8) for path in _paths(folder)}


def unpacked(folder: Path, references: Sequence[Reference], get: Callable[[Reference], Files]) -> Path:
    """Where `folder` of the command lies on this node: unpacked there by the first worker that needs it."""
    place = _room() / hashlib.sha256(str(folder).encode()).hexdigest()[:8] / folder.name
    while not (place / _WHOLE).exists():
        try:
            with folder_lock(place):
                if not (place / _WHOLE).exists():
                    for reference in references:
                        receive(place, get(reference))
                    (place / _WHOLE).touch()
        except InUse:
            time.sleep(_LOOK)
    return place


def receive(folder: Path, files: Files, names: Sequence[str] | None = None) -> None:
    """Write `files` in their order, each whole; of `names`, all that the folder is to hold, remove what isn't there."""
    for name, content in files.items():
        with atomic_path(folder / name) as temporary:
            content.tofile(temporary)
    if names is not None:
        for path in _paths(folder):
            if path.relative_to(folder).as_posix() not in names:
                path.unlink()


@dataclass
class Growing:
    """The folder that a task writes on its node, made of what was sent; what of it has changed is sent back."""

    sent: Carried
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sweep(_room())
        self.place = _own(_room())[0] / self.sent.writes.name
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        receive(self.place, self.sent.files)
        self.changed()

    def changed(self) -> tuple[Files, list[str]]:
        """Files that were written since the last call, in the order of their writing, and the names of all."""
        stamps = {path: path.stat() for path in _paths(self.place)}
        known = {
            path.relative_to(self.place).as_posix(): (one.st_mtime_ns, one.st_size) for path, one in stamps.items()
        }
        names = sorted((name for name in known if self.seen.get(name) != known[name]), key=lambda name: known[name])
        self.seen = known
        return {name: np.fromfile(self.place / name, np.uint8) for name in names}, list(known)

    def remove(self) -> None:
        """Nothing of it stays on the node."""
        shutil.rmtree(self.place, ignore_errors=True)


def sweep(room: Path) -> None:
    """Remove what workers left there that have ended: nobody holds its lock. Several may sweep at once."""
    for left in room.glob("writes-*"):
        with suppress(InUse), folder_lock(left):
            shutil.rmtree(left, ignore_errors=True)


@cache
def _own(room: Path) -> tuple[Path, TextIO]:
    """The folder of this process there, and its lock, which the process holds until it ends."""
    room.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=room))
    lock = (new / ".lock").open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    own = new.rename(room / f"writes-{os.getpid()}-{new.name.removeprefix('.new-')}")  # seen once it is locked
    return own, lock


def _room() -> Path:
    return Path(tempfile.gettempdir()) / f"deepfactor-{os.getuid()}"


def _paths(folder: Path) -> list[Path]:
    found = folder.rglob("*") if folder.is_dir() else ()
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _bundles(folder: Path) -> Iterator[Files]:
    bundle, size = Files(), 0
    for path in _paths(folder):
        content = np.fromfile(path, np.uint8)
        bundle[path.relative_to(folder).as_posix()] = content
        size += content.nbytes
        if size > _TOGETHER:
            yield bundle
            bundle, size = Files(), 0
    yield bundle
