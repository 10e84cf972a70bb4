"""What the operating system refuses, whoever reports it: whose fault that is and in which words."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

#: How libraries that hide the number of the system's error still tell it (polars, duckdb).
_NUMBER = re.compile(r"\(os error (\d+)\)(?:: (.*))?")
_BY_TYPE: dict[type[OSError], int] = {
    FileNotFoundError: errno.ENOENT,
    FileExistsError: errno.EEXIST,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
    PermissionError: errno.EACCES,
}
_NO_MEMORY = ("can't allocate memory", "array is too big; ")
#: Of a path: the user's to mend.
USERS = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EROFS", "EEXIST", "ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ELOOP", "ENOTEMPTY"),
        *("EBUSY", "ETXTBSY", "ENXIO", "ENODEV", "EILSEQ", "EXDEV"),
    )
)
#: Of a machine that has no more to give, or whose disk fails.
RESOURCES = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "ENOMEM", "EMFILE", "ENFILE", "EAGAIN", "EIO", "ENOBUFS", "ESTALE")
)


def system_error(error: BaseException) -> tuple[int, str] | None:
    """Number and words (with the path, where known) of an error of the operating system; None where it is another."""
    text = str(error)
    told = _NUMBER.search(text)
    if told is not None:
        number, place = int(told[1]), (told[2] or "").split(" (set POLARS_VERBOSE")[0]
    elif isinstance(error, OSError):
        by_type = next((number for kind, number in _BY_TYPE.items() if isinstance(error, kind)), None)
        number, place = error.errno or by_type or 0, str(error.filename or "")
    else:
        return None
    words = os.strerror(number) if number else text
    return number, f"{place}: {words}" if place else words


def raise_of_machine(error: BaseException) -> None:
    """Raise an error again that tells of the machine (no files, memory or disk left), where others tell of a file."""
    if (system_error(error) or (0, ""))[0] in RESOURCES or isinstance(error, MemoryError):
        raise error


def machine_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or its control group's limit where that is less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(file).read_text(encoding="ascii").strip()
        except OSError:
            continue
        limits += [int(text)] if text.isdigit() else []  # "max" = no limit
    return min(limits)


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's and numpy's errors, torch's on a processor and on a GPU, DuckDB's."""
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return True
    return isinstance(error, (RuntimeError, ValueError)) and any(sign in str(error) for sign in _NO_MEMORY)
