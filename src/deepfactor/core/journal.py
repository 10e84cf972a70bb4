"""Append-only logs: a line a record, JSON with its own checksum, written whole and synced or not at all.

A process killed while it writes leaves at most a torn last line, which the next writer ends and readers leave out.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from deepfactor.core.checksums import sealed, unsealed

Name = TypeVar("Name", str, int)


@dataclass(frozen=True)
class Journal:
    """The records of a log, oldest first; numbers of the lines that hold none (1 = the first)."""

    records: tuple[dict[str, Any], ...] = ()
    unreadable: tuple[int, ...] = ()


def append(path: Path, record: Mapping[str, object]) -> None:
    """Add a record at the end of the log `path`, on disk when this returns; other processes wait their turn.

    Raises
    ------
    OSError
        the log can't be written.
    """
    with _held(path) as handle:
        _write(handle, [record])


def append_new(path: Path, key: str, records: Mapping[Name, Mapping[str, object]]) -> list[Name]:
    """Add those records whose name stands in no line under `key` yet; returns the names that are new.

    Examples
    --------
    >>> import tempfile
    >>> log = Path(tempfile.mkdtemp()) / "log.jsonl"
    >>> append_new(log, "key", {"a": {"key": "a"}}), append_new(log, "key", {"a": {"key": "a"}})
    (['a'], [])
    """
    with _held(path) as handle:
        known = {one.get(key) for one in read(path).records}
        new = [name for name in records if name not in known]
        _write(handle, [records[name] for name in new])
    return new


def read(path: Path) -> Journal:
    """The log's records; none where there is no such file."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Journal()
    records, unreadable = [], []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            records.append(unsealed(json.loads(line)))
        except (ValueError, RecursionError):
            unreadable.append(number)
    return Journal(tuple(records), tuple(unreadable))


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """The log opened for writing at its end, by this process alone."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _write(handle: int, records: list[Mapping[str, object]]) -> None:
    """One write of whole lines; a torn line before them is ended first."""
    if not records:
        return
    length = os.fstat(handle).st_size
    torn = length and os.pread(handle, 1, length - 1) != b"\n"
    lines = (json.dumps(sealed(one), ensure_ascii=False, allow_nan=False) + "\n" for one in records)
    left = memoryview((b"\n" if torn else b"") + "".join(lines).encode())
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)
