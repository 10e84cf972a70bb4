"""Two training processes of one thread each against one: wall time, with idle arithmetic in their place beside it."""

from __future__ import annotations

import ctypes
import multiprocessing
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.timing import Line

STOCKS, DAYS, EPOCHS, ROUNDS = 1500, 4, 1, 5
#: Rounds of twelve fused multiply-adds that take about as long as the training.
SPIN = 30_000_000


def measure() -> list[Line]:
    """Speed of two at once over one alone: 2 × the wall time of one ÷ that of two side by side, medians of rounds."""
    with tempfile.TemporaryDirectory() as folder:
        library = _spinner(Path(folder))
        workers = [_Worker(library) for _ in range(2)]
        try:
            ways = ["train", *(["spin"] if library else [])]
            for way in ways:
                _together(workers, way)  # warm
            times: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way in ways:
                    one, cpu = _together(workers[:1], way)
                    two, cpus = _together(workers, way)
                    times[way].append((2 * one / two, cpus / (2 * cpu), cpu))
        finally:
            for worker in workers:
                worker.close()
    lines = [_line("two workers of one thread, gru", times["train"], "≥ 1.7 on idle cores")]
    if "spin" in times:
        lines.append(_line("the same with arithmetic on registers alone", times["spin"], ""))
    return lines


def _line(job: str, rounds: list[tuple[float, float, float]], target: str) -> Line:
    speeds, costs, seconds = zip(*rounds, strict=True)
    other = f"one after the other, by wall time (CPU time of two at once ÷ twice one: {statistics.median(costs):.2f})"
    ratio = statistics.median(speeds)
    return Line(
        job, f"{STOCKS} stocks", statistics.median(seconds), other, None, ratio, min(speeds), max(speeds), target
    )


def _spinner(folder: Path) -> str | None:
    """`fma_peak.c` compiled; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "fma_peak.so"
    source = Path(__file__).with_name("fma_peak.c")
    subprocess.run([compiler, "-O3", "-fPIC", "-shared", source, "-o", library], check=True)
    return str(library)


class _Worker:
    """A spawned process that does a piece of work when told so."""

    def __init__(self, library: str | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, library), daemon=True)
        self.process.start()
        theirs.close()

    def close(self) -> None:
        self.pipe.close()
        self.process.join(30)


def _together(workers: list[_Worker], way: str) -> tuple[float, float]:
    """Wall time until all have done it, and their CPU time."""
    begin = time.perf_counter()
    for worker in workers:
        worker.pipe.send(way)
    cpu = sum(worker.pipe.recv() for worker in workers)
    return time.perf_counter() - begin, cpu


def _work(pipe: Connection, library: str | None) -> None:
    """A worker's life."""
    from benchmarks import jobs
    from benchmarks.trainer import random_data
    from deepfactor.core.kind import Kind
    from deepfactor.training.samples import Sampler
    from deepfactor.training.work import run_job

    data = random_data(STOCKS, days=152 + DAYS)
    sampler = Sampler(data)
    job = jobs.make(data, Kind(kind="gru"), DAYS, EPOCHS)

    def train() -> None:
        with tempfile.TemporaryDirectory() as folder:
            run_job(job, sampler, Path(folder), lambda event: None)

    ways: dict[str, Callable[[], object]] = {"train": train}
    if library is not None:
        peak = ctypes.CDLL(library).fma_peak
        peak.argtypes, peak.restype = [ctypes.c_char_p, ctypes.c_long], ctypes.c_double
        ways["spin"] = lambda: peak(b"avx2", SPIN)
    while True:
        try:
            way = pipe.recv()
        except EOFError:
            return
        before = time.process_time()
        ways[way]()
        pipe.send(time.process_time() - before)
