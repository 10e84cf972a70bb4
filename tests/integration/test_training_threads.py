"""A worker trains with one thread: others exist at most to wait, and none spins."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

from deepfactor.core.kind import Kind
from deepfactor.training.engine import run_jobs
from deepfactor.training.jobs import Progress
from deepfactor.training.spec import Fit
from support.training import stored, toy_jobs, toy_training

TICK = os.sysconf("SC_CLK_TCK")


def threads(pid: int) -> dict[int, float]:
    """CPU seconds of each thread of a process."""
    found = {}
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        fields = stat.read_text().rpartition(")")[2].split()
        found[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) / TICK
    return found


def test_a_worker_computes_in_one_thread(tmp_path):
    """`_die_with_parent` waits in a second one; OpenMP, BLAS and torch add none that runs."""
    data = toy_training(stocks=200)
    jobs = toy_jobs(data, Kind.model_validate({"kind": "gru", "hidden": 32}), fit=Fit(epochs=4, seeds=(0,)))
    seen: list[dict[int, float]] = []
    clock: list[tuple[float, float]] = []

    def listen(event: Progress) -> None:
        (worker,) = multiprocessing.active_children()
        assert worker.pid is not None
        if event.phase in ("validate", "done"):
            seen.append({tid: used for tid, used in threads(worker.pid).items() if tid != worker.pid})
            clock.append((time.monotonic(), sum(threads(worker.pid).values())))

    run_jobs(jobs, stored(data, tmp_path), tmp_path, workers=1, progress=listen)
    assert len(seen) >= 4
    assert max(map(len, seen)) <= 1, "threads beside the one that trains"
    assert all(used <= 1 / TICK for others in seen for used in others.values()), "a thread that spins"
    (start, before), (end, after) = clock[0], clock[-1]
    assert after - before <= end - start + 2 / TICK, "more CPU time than one thread can use"
