"""Exit codes other than 0 and 2, and what is stopped during training: no orphans, and the same command goes on."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deepfactor.core.errors import Interrupted
from deepfactor.pipeline import factor as factors
from support.cli import deepfactor
from support.recipe import RECIPE


@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGTERM), 3, "stopped by SIGTERM; the same command goes on"),
        (lambda: os.kill(os.getpid(), signal.SIGINT), 3, "stopped by SIGINT; the same command goes on"),
        (lambda: fail(MemoryError()), 3, "out of memory"),
        (lambda: fail(OSError(errno.ENOSPC, "No space left on device", "/x")), 3, "/x: No space left on device"),
        (lambda: fail(Interrupted("disk full")), 3, "disk full"),
        (lambda: fail(PermissionError(errno.EACCES, "Permission denied", "/x")), 2, "/x: Permission denied"),
        (lambda: fail(ZeroDivisionError("planted")), 1, "a fault of ours"),
        (lambda: fail(OSError(errno.EIO, "Input/output error", "/x")), 3, "/x: Input/output error"),
        (lambda: fail(OSError(errno.EPROTO, "Protocol error", "/x")), 1, "a fault of ours"),
    ],
)
def test_exit_codes(failure: Callable[[], None], code, message, main_job, tmp_path, monkeypatch):
    def broken(*args: object) -> None:
        failure()
        time.sleep(5)  # a signal arrives at the next step of Python
        raise AssertionError("not stopped")

    monkeypatch.setattr(factors, "test", broken)
    result = deepfactor(
        *("test", main_job.run, "--arm", "gru_ic", "--market", main_job.market, "--out", tmp_path / "out")
    )
    assert result.code == code, result.err
    assert message in result.err.splitlines()[-1]
    assert not result.out
    assert ("Traceback" in result.err) == (code == 1)


def fail(error: Exception) -> None:
    raise error


# stopped during training

LONG = {
    "arms": '[{name = "gru_ic", model = {kind = "gru", hidden = 8}}]',
    "fit.epochs": "9",
    "fit.patience": "9",
    "fit.seeds": "[0]",
    "plan.every": "40",
}


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def stopped_after(epoch: int, number: signal.Signals, command: list[str]) -> int:
    """Start a command, signal it once it says that it has done `epoch`, and give back its exit code; no orphans."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if f"epoch {epoch}/9" in line:
                break
        workers = children(process.pid)
        assert workers, f"ended before epoch {epoch}: {''.join(said)}"
        process.send_signal(number)
        rest = process.stderr.read()
        code = process.wait(timeout=60)
    finally:
        process.kill()
        process.stderr.close()
    assert f"stopped by {number.name}" in rest.splitlines()[-1]
    assert "Traceback" not in rest
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()], "orphans"
    return code


def test_a_signal_that_was_held_back_while_it_started_stops_it(tmp_path):
    """As the workbench starts runs; also where its own starter ignores the signal, as a shell's background does."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "deepfactor", "simulate", str(tmp_path / "m")],
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 3, said
    assert "stopped by SIGINT" in said


@pytest.mark.slow
def test_stopped_twice_the_same_command_ends_with_the_bytes_of_an_unbroken_run(small_market, tmp_path):
    (tmp_path / "small.toml").write_text(RECIPE)
    changes = [part for key, value in LONG.items() for part in ("--set", f"{key}={value}")]
    command = ["run", str(tmp_path / "small.toml"), "--market", str(small_market), *changes]
    broken, whole = ["--out", str(tmp_path / "broken")], ["--out", str(tmp_path / "whole")]
    process = [sys.executable, "-m", "deepfactor", *command, *broken, "--workers", "1"]
    assert stopped_after(2, signal.SIGTERM, process) == 3
    (job,) = (tmp_path / "broken" / "jobs").glob("*/checkpoint.safetensors")
    assert not (job.parent / "done").exists()
    assert stopped_after(5, signal.SIGINT, process) == 3
    resumed = deepfactor(*command, *broken, "--workers", 0)
    assert resumed.code == 0, resumed.err
    epochs = [int(n) for n in re.findall(r"gru_ic 2020 seed 0: epoch (\d)/9", resumed.err)]
    assert epochs, resumed.err
    assert epochs[0] > 2, "went on, didn't start again"
    assert deepfactor(*command, *whole, "--workers", 0).code == 0
    results = (
        "jobs/*/weights.safetensors",
        "jobs/*/scores.npy",
        "small/arms/**/*.parquet",
        "small/portfolio/**/*.parquet",
    )
    for pattern in results:
        expected = {p.relative_to(tmp_path / "whole"): p.read_bytes() for p in (tmp_path / "whole").glob(pattern)}
        found = {p.relative_to(tmp_path / "broken"): p.read_bytes() for p in (tmp_path / "broken").glob(pattern)}
        assert expected
        assert found == expected, pattern
