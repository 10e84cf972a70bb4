"""Runs jobs: in this process, or in spawned worker processes of one thread each that open the arrays by themselves."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from deepfactor.core.errors import DeepfactorError, Interrupted, OutOfResources, UserError
from deepfactor.core.files import remove_litter, write_text
from deepfactor.core.system import RESOURCES, USERS, out_of_memory, system_error
from deepfactor.training.data import Arrays, Folders, open_data
from deepfactor.training.device import device_of
from deepfactor.training.finished import adopt, damage_of
from deepfactor.training.jobs import Job, Progress, arrays_of, is_done
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.store import Store
from deepfactor.training.spawning import bound_to_this_process
from deepfactor.training.work import run_job

Listener = Callable[[Progress], None]

#: Set before a worker imports anything: one thread a process, and big temporaries that are reused instead of being
#: handed back to the system and faulted in again at every step.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
}
_GRACE = 5.0  # seconds that a worker has to end before it is killed


class JobFailed(DeepfactorError):
    """A job ended with a fault of ours. The message names the job and the file with the traceback."""


def run_jobs(
    jobs: Sequence[Job],
    data: Folders,
    folder: Path,
    *,
    workers: int = 1,
    progress: Listener | None = None,
    device: str = "cpu",
) -> None:
    """Run what of `jobs` is not done, and leave their results in ``folder/<key>``.

    The numbers don't depend on `workers`. The first failure stops all; what is finished stays, and unfinished jobs go
    on from their last epoch when the call is repeated.

    Parameters
    ----------
    data : Path or mapping of arm to Path
        the arrays' folder, see `prepare_data`, of all jobs or of each arm's.
    folder : Path
        the job store.
    workers : int
        processes; 0 = one after the other in this process.
    progress : callable, optional
        called in this process for every step at first hand, or several times a second from workers.
    device : str
        see `device_of`; all workers share it. Numbers differ between devices by rounding.

    Raises
    ------
    UserError
        what a job says about recipe or data; the device is not there.
    Interrupted
        SIGINT or SIGTERM; no worker is left behind.
    OutOfResources
        disk or memory ran out.
    JobFailed
        any other failure of a job.
    """
    listen = progress or (lambda event: None)
    device_of(device)
    open_jobs = list({job.key: job for job in jobs if not is_done(folder, job)}.values())  # equal arms train once
    for job in jobs:
        if is_done(folder, job):
            adopt(folder / job.key)
            listen(Progress(job.label, job.key, "skip"))
        elif (damage := damage_of(folder / job.key)) is not None:
            listen(Progress(job.label, job.key, "damaged", note=damage))
    if not open_jobs:
        return
    for arrays in {arrays_of(data, job).folder for job in open_jobs}:
        remove_litter(arrays)
    with interruptible():
        if workers == 0:
            samplers = _Samplers(device)
            for job in open_jobs:
                with _described(job, folder):
                    run_job(job, samplers.of(arrays_of(data, job)), folder, listen)
        else:
            _Pool(data, folder, device).run(open_jobs, min(workers, len(open_jobs)), listen)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM raise `Interrupted` inside; in a thread other than the main one they are left alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(f"stopped by {signal.Signals(number).name}; the same command goes on from the last epoch")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _described(job: Job, folder: Path) -> Iterator[None]:
    """Make what a job raises say which job; the traceback of an unforeseen error goes into the job's folder."""
    try:
        yield
    except Interrupted:
        raise
    except DeepfactorError as error:
        error.args = (f"{job.label}: {error}",)
        raise
    except Exception as error:
        if out_of_memory(error):
            raise OutOfResources(f"{job.label}: out of memory; take fewer workers or a smaller network") from error
        number, words = system_error(error) or (0, "")
        if number in USERS:
            raise UserError(f"{job.label}: {words}") from error
        if number in RESOURCES:
            raise OutOfResources(f"{job.label}: {words}: mend that and repeat the command") from error
        raise _failed(job, folder, error) from error


def _failed(job: Job, folder: Path, error: Exception) -> JobFailed:
    """What to raise for an unforeseen error; its traceback goes into the job's folder."""
    log = folder / job.key / "error.txt"
    write_text(log, traceback.format_exc())
    return JobFailed(f"{job.label}: {type(error).__name__}: {error}; traceback in {log}")


class _Pool:
    """Spawned workers, each with a pipe: a job goes down, progress and the end come up."""

    def __init__(self, data: Folders, folder: Path, device: str) -> None:
        self.data, self.arguments = data, (folder, device)
        self.busy: dict[Connection, Job] = {}
        self.processes: dict[Connection, BaseProcess] = {}

    def run(self, jobs: Sequence[Job], workers: int, listen: Listener) -> None:
        """Hand out `jobs` in order until all are done."""
        queue = list(reversed(jobs))
        try:
            with environment(WORKER_ENVIRONMENT), bound_to_this_process():
                for _ in range(workers):
                    self._start()
            for pipe in self.processes:
                self._give(pipe, queue)
            while self.busy:
                ready = wait(list(self.busy))
                for pipe in [pipe for pipe in self.busy if pipe in ready]:
                    if self._listen(pipe, listen):
                        self._give(pipe, queue)
        finally:
            self._stop()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, *self.arguments), daemon=True)
        process.start()
        theirs.close()  # so that a dead worker's pipe reads as ended
        self.processes[ours] = process

    def _give(self, pipe: Connection, queue: list[Job]) -> None:
        self.busy.pop(pipe, None)
        if queue:
            job = self.busy[pipe] = queue.pop()
            pipe.send((job, arrays_of(self.data, job)))

    def _listen(self, pipe: Connection, listen: Listener) -> bool:
        """Take one message; True when the worker's job is done."""
        try:
            message = pipe.recv()
        except (EOFError, ConnectionResetError):
            process = self.processes[pipe]
            process.join(_GRACE)
            raise OutOfResources(
                f"{self.busy[pipe].label}: the worker died (exit code {process.exitcode}; -9 = killed, often for lack "
                "of memory); the same command goes on from the last epoch"
            ) from None
        if isinstance(message, Progress):
            listen(message)
            return False
        if isinstance(message, Exception):
            raise message
        return True

    def _stop(self) -> None:
        """End all workers: idle ones by closing their pipe, busy ones by SIGTERM, stubborn ones by SIGKILL."""
        for pipe, process in self.processes.items():
            if pipe in self.busy:
                process.terminate()
            pipe.close()
        for process in self.processes.values():
            process.join(_GRACE)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the processes started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(pipe: Connection, folder: Path, device: str) -> None:
    """A worker's life: jobs from the pipe until it closes."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    samplers = _Samplers(device)
    while True:
        job: Job
        data: Arrays
        try:
            job, data = pipe.recv()
        except EOFError:
            return
        try:
            with _described(job, folder):
                run_job(job, samplers.of(data), folder, _Throttle(pipe))
        except DeepfactorError as error:
            error.__cause__ = None  # may not be picklable; its traceback is in the job's folder
            pipe.send(error)
            return
        pipe.send("done")


class _Samplers:
    """Opens a folder's arrays once, as long as the next job reads the same ones."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.arrays: Arrays | None = None

    def of(self, arrays: Arrays) -> Sampler:
        """The sampler of `arrays`."""
        if arrays != self.arrays:
            self.sampler = Sampler(open_data(arrays), device=device_of(self.device), store=Store(arrays.folder))
            self.arrays = arrays
        return self.sampler


class _Throttle:
    """Sends progress a few times a second; ends of epochs and jobs always."""

    def __init__(self, pipe: Connection, seconds: float = 0.2) -> None:
        self.pipe, self.seconds, self.last = pipe, seconds, 0.0

    def __call__(self, event: Progress) -> None:
        now = time.monotonic()
        if event.phase in ("gather", "train", "predict") and now - self.last < self.seconds:
            return
        self.last = now
        try:
            self.pipe.send(event)
        except BrokenPipeError:
            os._exit(Interrupted.exit_code)  # the parent is gone
