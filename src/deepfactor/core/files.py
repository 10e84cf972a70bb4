"""Files that are either the old or the new, never half: temp file, fsync, rename. And a folder's lock."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from socket import gethostname
from typing import Any

from deepfactor.core.errors import InUse, OutOfResources, UserError

#: Seconds after which a temporary of another machine, of whose processes nothing is known here, counts as abandoned.
_ABANDONED = 24 * 3600.0


@cache
def machine_id() -> str:
    """A name of this machine as long as it runs: what sees the same processes and the same locks."""
    try:
        told = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        told = gethostname()
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def temporary_of(path: Path) -> Path:
    """Where this process writes what becomes `path`: of no other process of any machine that shares the folder."""
    return path.with_name(f".{path.name}.{machine_id()}-{os.getpid()}.tmp")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; on a clean exit it is synced and renamed to `path`, else removed.

    Raises
    ------
    OutOfResources
        the disk or quota is full; `path` is as it was.
    UserError
        there is a folder of that name.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder, where a file is to be written: move it away and repeat the command")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfResources(f"no space left to write {path}: free some and repeat the command") from error
        if error.errno and error.filename == str(temporary):  # which nobody has heard of
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_litter(folder: Path) -> None:
    """Remove the temporaries below `folder`, files and folders, that killed processes left; those of living ones stay,
    and those of other machines for a day."""
    for path in list(folder.rglob(".*.tmp")):
        machine, _, pid = path.name.split(".")[-2].rpartition("-")
        if not pid.isdigit():
            continue
        if machine in ("", machine_id()):
            abandoned = int(pid) == os.getpid() or not _lives(int(pid))
        else:
            abandoned = _age(path) > _ABANDONED
        if abandoned and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif abandoned:
            path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    """Seconds since `path` was written; 0 where it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def remove_file(path: Path) -> None:
    """Remove a file of ours.

    Raises
    ------
    UserError
        it is a folder, of which we don't know what it holds.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder, where a file was: move it away and repeat the command")
    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8) atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, keys in the given order, NaN refused."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """What `write_json` writes."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's only write lock (``.lock`` in it); freed by the system if the process dies.

    Raises
    ------
    InUse
        another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"{folder} is being written by another process: wait for it to end") from None
        yield
