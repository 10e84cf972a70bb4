"""A folder's lock that other machines keep, too: where a shared folder passes on no locks, a file that is renewed.

`folder_lock` is a lock of the system, which frees it when its process dies. Many network folders pass such locks on to
other machines, some don't, and none tells. So who holds one also writes ``.lease``, who and where he is, and touches it
every `RENEWED` seconds. Another machine takes over what hasn't been touched for `EXPIRES` seconds, by the clock of the
folder. What a machine that was cut off for so long still writes is what the other one writes, each file whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname
from typing import TypedDict

from deepfactor.core.errors import InUse
from deepfactor.core.files import folder_lock, machine_id

LEASE = ".lease"
RENEWED, EXPIRES = 10.0, 60.0
#: Seconds after which the last one of several that take over at once is known.
_SETTLED = 2.0


class Holder(TypedDict):
    """What a lease says."""

    machine: str
    host: str
    pid: int
    token: str


@contextmanager
def folder_lease(folder: Path) -> Iterator[None]:
    """Hold the folder's only write lock (``.lock`` and ``.lease`` in it) among all machines that share it.

    Raises
    ------
    InUse
        another process holds it; says on which machine.
    """
    with folder_lock(folder):
        file = folder / LEASE
        own: Holder = {"machine": machine_id(), "host": gethostname(), "pid": os.getpid(), "token": uuid.uuid4().hex}
        _take(file, own)
        over = threading.Event()
        keeper = threading.Thread(target=_renew, args=(file, over), name="lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()
            if holder_of(folder) == own:
                file.unlink(missing_ok=True)


def holder_of(folder: Path) -> Holder | None:
    """Who holds the folder, or held it when he died; None where there is none."""
    try:
        said: Holder = json.loads((folder / LEASE).read_text(encoding="utf-8"))
        return said if {"machine", "host", "pid", "token"} <= said.keys() else None
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def _take(file: Path, own: Holder) -> None:
    """Write the lease where nobody's stands, or one that has come to its end."""
    try:
        with file.open("x", encoding="utf-8") as handle:
            json.dump(own, handle)
            return
    except FileExistsError:
        held = holder_of(file.parent)
    if held is None:  # half a file: of one who writes it now, or who died at it
        time.sleep(_SETTLED)
        held = holder_of(file.parent)
    away = held is not None and held["machine"] != own["machine"]  # one of this machine: the lock was free, he is dead
    if away and (left := EXPIRES - _untouched(file)) > 0:
        assert held is not None
        raise InUse(
            f"{file.parent} is being written by process {held['pid']} on {held['host']}; if that machine is no more, "
            f"it is free in {left:.0f} s"
        )
    file.write_text(json.dumps(own), encoding="utf-8")
    if away:
        time.sleep(_SETTLED)
        if holder_of(file.parent) != own:
            raise InUse(f"{file.parent} was taken over by another machine at the same moment: wait for it to end")


def _untouched(file: Path) -> float:
    """Seconds since the lease was renewed, by the clock of the folder's file system."""
    beside = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    beside.touch()
    try:
        return beside.stat().st_mtime - file.stat().st_mtime
    except FileNotFoundError:  # just given back
        return EXPIRES
    finally:
        beside.unlink()


def _renew(file: Path, over: threading.Event) -> None:
    while not over.wait(RENEWED):
        with contextlib.suppress(OSError):  # the folder is away for a moment, or for good
            os.utime(file)
