"""Runs jobs by an engine: in this process, in worker processes, or on a cluster, each opening the arrays by itself."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from socket import gethostname
from types import FrameType
from typing import cast

from deepfactor.core.errors import DeepfactorError, Interrupted, OutOfResources, UserError
from deepfactor.core.files import remove_litter, write_text
from deepfactor.core.system import RESOURCES, USERS, out_of_memory, system_error
from deepfactor.models._kernels import kernel_in_use
from deepfactor.training.data import Arrays, Folders, open_data
from deepfactor.training.device import device_of
from deepfactor.training.engines.base import Do, Engine, Needs, Task, Tell, Where
from deepfactor.training.engines.processes import Processes
from deepfactor.training.finished import adopt, damage_of
from deepfactor.training.jobs import Job, Progress, arrays_of, is_done
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.store import Store
from deepfactor.training.work import run_job

Listener = Callable[[Progress], None]


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
    engine: Engine | None = None,
    needs: Needs = Needs(),
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
    engine : Engine, optional
        where jobs run, in place of `workers` processes of this machine; its jobs take what `needs` says.

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
    if engine is None:
        device_of(device)
        engine = Processes(workers)
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
    tasks = [_task(job, arrays_of(data, job), folder) for job in open_jobs]
    done = engine.each(
        partial(_ready, device, kernel_in_use()), tasks, lambda event: listen(cast(Progress, event)), needs
    )
    with interruptible(), closing(done):
        for _ in done:
            pass


_Content = tuple[Job, Arrays, Path]


def _task(job: Job, arrays: Arrays, folder: Path) -> Task[_Content]:
    """A job as an engine takes it."""
    reads = (arrays.folder, *arrays.inputs.values())
    return Task(job.label, (job, arrays, folder), reads, folder / job.key)


def _ready(device: str, kernel: str) -> Do[_Content, None]:
    """What does jobs in a worker, one after the other; `kernel` = what computes GRUs where the command was given."""
    samplers = _Samplers(device)
    own_kernel = kernel_in_use()

    def do(content: _Content, where: Where, tell: Tell) -> None:
        job, arrays, folder = content
        own = Arrays(where(arrays.folder), {name: where(path) for name, path in arrays.inputs.items()})
        place = where(folder / job.key).parent
        if own_kernel != kernel:
            told = f"computed by {own_kernel} on {gethostname()}, here it would be by {kernel}: the last digits differ"
            tell(Progress(job.label, job.key, "note", note=told))
        with _described(job, place):
            run_job(job, samplers.of(own), place, tell)

    return do


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
