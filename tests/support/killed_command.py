"""A command that dies before one of its writes: ``python -m support.killed_command ROOT KILL POINTS WORDS…``.

`KILL` is the number of the write (0 = none), `POINTS` a file for the names of all writes (``-`` = none); see
`support.killed.watch_writes`. A process of its own a command: one that forks after polars has run hangs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.cli import deepfactor
from support.killed import TESTS, watch_writes


def killed(root: Path, kill: int, *words: object, points: Path | None = None) -> int:
    """Run a command that dies before its write number `kill`; how it ended, −9 = killed."""
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = [str(root), str(kill), "-" if points is None else str(points)]
    command = [sys.executable, "-m", "support.killed_command", *own, *map(str, words)]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False).returncode


if __name__ == "__main__":
    ROOT, KILL, POINTS, *WORDS = sys.argv[1:]
    watch_writes(ROOT, int(KILL) or None, None if POINTS == "-" else POINTS)
    sys.exit(deepfactor(*WORDS).code)
