"""``python -m benchmarks.cluster``: jobs on Ray against local processes on the same cores, what a job costs beside its
work, and what 500 jobs leave in the command's memory; writes ``benchmarks/RESULTS-cluster.md``. Five minutes at most on
two idle cores. ``--dry`` does all of it small, in one round, and writes nothing.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.timing import Line
from deepfactor.training.engines.base import Do, Engine, Needs, Task, Tell, Where

SMALL, SAMPLE = 500, 100
CORES = 2
_DRY = "--dry"


@dataclass(frozen=True)
class Size:
    """Of what is trained: jobs of a GRU on so many stocks and training days, in so many rounds."""

    stocks: int = 400
    days: int = 12
    epochs: int = 8
    jobs: int = 6
    rounds: int = 3


_INTRO = """# Jobs on a cluster

Written by `python -m benchmarks.cluster`; do not edit. Wall time: the two ways in turn, on two cores of one machine,
Ray's as a cluster of its own that is up before.
"""

_NOTES = """## How to read it

* *Training*: from the command's first job to the end of its last, starting of workers and their imports included on
  both sides; the least wall time of each, in brackets the rounds' own ratios. 1.00 = the same; above 1 Ray is faster.
  Each round has a new cluster, and every other one begins with Ray. On a busy machine they say little: see the load.
* *A small job*: an empty task that writes a file, handed out, done and taken back: the mean over 500 on two cores,
  after the first hundred, which start the workers.
  *Memory*: how much larger the command's resident set is after all 500 than after the first hundred.
"""


@dataclass(frozen=True)
class Small:
    """How often an empty task gets done, and what the driver keeps of it."""

    seconds: float
    grown: int


def small(engine: Engine, jobs: int = SMALL, sample: int = SAMPLE) -> Small:
    """Empty tasks through one driver, the first of which don't count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = [Task(f"job {i}", folder / str(i), writes=folder / str(i)) for i in range(jobs)]
        begin = memory = 0.0
        for done, _ in enumerate(engine.each(ready, tasks, _ignore, Needs()), start=1):
            if done == sample:
                gc.collect()
                begin, memory = time.perf_counter(), _resident()
        seconds = (time.perf_counter() - begin) / (jobs - sample)
        gc.collect()
        grown = int(_resident() - memory)
        assert len(list(folder.glob("*/done"))) == jobs
        return Small(seconds, grown)


def ready() -> Do[Path, int]:
    """What does an empty task."""

    def do(folder: Path, where: Where, tell: Tell) -> int:
        where(folder).mkdir(parents=True, exist_ok=True)
        (where(folder) / "done").touch()
        return os.getpid()

    return do


def measure(size: Size = Size()) -> list[Line]:
    """Training on both engines in turn, then empty tasks."""
    from deepfactor.training.engines.on_ray import Ray
    from deepfactor.training.engines.processes import Processes

    times: dict[str, list[float]] = {"local": [], "ray": []}
    for k in range(size.rounds):
        for name in sorted(times, reverse=bool(k % 2)):
            if name == "local":
                times[name].append(train(Processes(CORES), size))
            else:
                with cluster():
                    times[name].append(train(Ray(most=CORES), size))
    local, rays = times["local"], times["ray"]
    ratios = [one / other for one, other in zip(local, rays, strict=True)]
    with cluster():
        empty = small(Ray(most=CORES))
    return [
        Line(
            "training on two cores by Ray, least of the rounds", f"{size.jobs} jobs, {size.stocks} stocks", min(rays),
            "local processes", min(local), min(local) / min(rays), min(ratios), max(ratios), "≥ 0.91",
        ),
        Line(
            "a small job", f"{SMALL} jobs", empty.seconds,
            f"memory of the command from job {SAMPLE} to {SMALL}: {empty.grown / 2**20:+.1f} MiB",
            target="≤ 2 s, no growth",
        ),
    ]  # fmt: skip


@contextmanager
def cluster() -> Iterator[None]:
    """A cluster of two cores, up before what is measured inside."""
    from deepfactor.training.engines.on_ray import package

    ray = package()
    ray.init("local", num_cpus=CORES, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 2**20)
    try:
        yield
    finally:
        ray.shutdown()


def train(engine: Engine, size: Size) -> float:
    """Wall seconds of jobs on random data."""
    from benchmarks import jobs
    from benchmarks.trainer import random_data
    from deepfactor.core.kind import Kind
    from deepfactor.training.data import prepare_data
    from deepfactor.training.engine import run_jobs

    data = random_data(size.stocks, days=152 + size.days)
    job = jobs.make(data, Kind(kind="gru"), size.days, size.epochs)
    same = [replace(job, seed=seed, identity={**job.identity, "seed": seed}) for seed in range(size.jobs)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arrays = prepare_data(folder, "bench", lambda: data)
        begin = time.perf_counter()
        run_jobs(same, arrays, folder, engine=engine)
        return time.perf_counter() - begin


def _ignore(event: object) -> None:
    """What small tasks tell: nothing."""


def _resident() -> float:
    return float(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure and write the page."""
    from benchmarks.sections import write_sections

    if sys.argv[1:] == [_DRY]:
        for line in measure(Size(epochs=1, jobs=2, rounds=1)):
            print(line)
        return
    write_sections(Path(__file__).with_name("RESULTS-cluster.md"), {"Ray": measure}, _INTRO, _NOTES)


if __name__ == "__main__":
    main()
