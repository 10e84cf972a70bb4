"""What a training process takes beside CPU time: memory over the panel's own, page faults a step, threads."""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.timing import Line

#: As many days as a real market has: of less the network's own arrays are the larger part.
STOCKS, DAYS, EVERY, EPOCHS = 3000, 2500, 250, 2
_MIB = 2**20


def measure() -> list[Line]:
    """One worker of the engine's kind, on arrays on disk."""
    from benchmarks.trainer import random_data
    from deepfactor.training.data import prepare_data

    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = prepare_data(Path(name), "bench", lambda: random_data(STOCKS, DAYS))
        panel = sum(file.stat().st_size for file in folder.glob("*.npy")) / _MIB
        for model in ("gru", "decomp_gru"):
            lines += _lines(model, panel, _in_a_process(folder, model))
    return lines


def _lines(model: str, panel: float, found: dict[str, Any]) -> list[Line]:
    size = f"{STOCKS} stocks × {DAYS} days"
    extra, batch = found["peak"] - found["imported"], found["batch"]
    memory = f"{extra:.0f} MiB over the imports' {found['imported']:.0f}; panel {panel:.0f}, one batch {batch:.0f}"
    share = (extra - batch) / panel
    step = found["cpu"] / found["steps"]
    return [
        Line(f"{model}, peak memory", size, step, memory, None, share, share, share, "≤ 2 (and a batch)"),
        Line(f"{model}, page faults a step", size, step, f"{found['faults']:.0f} a step of a later epoch"),
        Line(f"{model}, threads", size, step, f"{found['threads']}; CPU ÷ wall {found['cpu'] / found['wall']:.2f}",
             target="1; ≤ 1.0"),
    ]  # fmt: skip


def _in_a_process(folder: Path, model: str) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, folder, model))
    process.start()
    theirs.close()
    found: dict[str, Any] = ours.recv()
    process.join()
    return found


def _work(pipe: Connection, folder: Path, model: str) -> None:
    """Train one job and report on this process."""
    from benchmarks import jobs
    from deepfactor.core.kind import Kind
    from deepfactor.training.data import open_data
    from deepfactor.training.jobs import Progress
    from deepfactor.training.samples import Sampler
    from deepfactor.training.work import run_job

    imported = _resident("VmRSS")
    data = open_data(folder)
    job = jobs.make(data, Kind(kind=model), DAYS - data.window - 2, EPOCHS, every=EVERY)
    marks: list[tuple[int, float, float]] = []

    def listen(event: Progress) -> None:
        if event.phase == "train" and event.epoch > 1 and event.step > 1:
            marks.append((resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.process_time(), time.perf_counter()))

    run_job(job, Sampler(data), folder.parent, listen)
    steps = len(marks) - 1
    faults, cpu, wall = (marks[-1][k] - marks[0][k] for k in range(3))
    pipe.send(
        {
            "imported": imported,
            "peak": _resident("VmHWM"),
            "batch": 4 * STOCKS * data.window * len(data.features.names) / _MIB,
            "steps": steps,
            "faults": faults / steps,
            "cpu": cpu,
            "wall": wall,
            "threads": len(os.listdir("/proc/self/task")),
        }
    )


def _resident(name: str) -> float:
    """MiB that are or were in memory, mapped files included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise KeyError(name)
