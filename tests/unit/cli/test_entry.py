"""What ends a command, as an exit code."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from deepfactor.cli import entry
from deepfactor.core.errors import DataError, OutOfResources
from support.cli import PROGRAM, deepfactor
from support.factors import handmade_market

ERRORS = {
    "data": (DataError("bad", file="f"), 2, "file f: bad"),
    "resources": (OutOfResources("no space"), 3, "no space"),
    "interrupt": (KeyboardInterrupt(), 3, "stopped"),
    "memory": (MemoryError(), 3, "out of memory"),
    "array": (np.exceptions.AxisError(3, 2), 1, "a fault of ours"),
    "permission": (PermissionError(errno.EACCES, "denied", "f"), 2, f"f: {os.strerror(errno.EACCES)}"),
    "polars": (PermissionError("Permission denied (os error 13): /data/f"), 2, "/data/f: Permission denied"),
    "long": (OSError(errno.ENAMETOOLONG, "x", "f"), 2, f"f: {os.strerror(errno.ENAMETOOLONG)}"),
    "big": (OSError(errno.EFBIG, "x", "f"), 3, f"f: {os.strerror(errno.EFBIG)}"),
    "files": (OSError(errno.EMFILE, "x"), 3, os.strerror(errno.EMFILE)),
    "odd": (OSError(errno.EPROTO, "x"), 1, "a fault of ours"),
    "end": (EOFError(), 1, "a fault of ours"),
    "recursion": (RecursionError(), 1, "a fault of ours"),
    "pipe": (BrokenPipeError(errno.EPIPE, "x"), 3, ""),
}


@pytest.mark.parametrize("case", ERRORS)
def test_every_error_ends_in_its_code(case, monkeypatch):
    error, code, says = ERRORS[case]

    def raise_it():
        raise error

    monkeypatch.setattr(entry, "_verb", raise_it)
    result = deepfactor("doctor")
    assert result.code == code, result.err
    assert says in (result.err.splitlines() or [""])[-1]
    assert ("Traceback" in result.err) == (code == 1)


def closed(market: Path, redirection: str) -> int:
    """Exit code of a verb with something done to its streams by a shell."""
    line = f"{sys.executable} -m deepfactor check {market} {redirection}"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode


@pytest.mark.slow
def test_streams_that_nobody_reads(tmp_path):
    market = handmade_market(tmp_path / "market")
    assert closed(market, "| true") == 0, "the work was done"
    assert closed(market, ">&- 2>&-") == 0
    assert closed(market, ">/dev/full") == 3


def test_ctrl_c_while_it_starts():
    process = subprocess.Popen([PROGRAM, "doctor"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    time.sleep(0.2)
    process.send_signal(2)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (3, -2), said  # -2: before the first line of ours
    assert "Traceback" not in said or process.returncode == -2
