"""Whether a process has ended, as far as Linux says."""

from __future__ import annotations

import time
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether any thread of the process runs: a zombie's other threads may still hold its files, and so its locks."""
    try:
        if len(list(Path(f"/proc/{pid}/task").iterdir())) > 1:
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int, seconds: float = 60.0) -> bool:
    """Wait for its end: whether it came within so many seconds."""
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)
