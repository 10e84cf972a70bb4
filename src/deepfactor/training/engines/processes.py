"""Tasks in this process, or in spawned worker processes of this machine, of one thread each."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic

from deepfactor.core.errors import DeepfactorError, Interrupted, OutOfResources, UserError
from deepfactor.training.engines.base import Content, Do, Needs, Result, Task, here
from deepfactor.training.spawning import bound_to_this_process

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
_QUIET = 0.2  # seconds between what a worker passes on, at least


@dataclass(frozen=True)
class Processes:
    """`workers` processes with `environment` beside this one's; 0 = one task after the other in this process."""

    workers: int = 1
    environment: Mapping[str, str] = field(default_factory=lambda: WORKER_ENVIRONMENT)

    def each(
        self,
        ready: Callable[[], Do[Content, Result]],
        tasks: Sequence[Task[Content]],
        listen: Callable[[object], None],
        needs: Needs = Needs(),
    ) -> Generator[tuple[Task[Content], Result], None, None]:
        if not tasks:
            return
        if self.workers == 0:
            do = ready()
            for task in tasks:
                yield task, do(task.content, here, listen)
            return
        pool: _Pool[Content, Result] = _Pool(ready, self.environment)
        yield from pool.run(tasks, min(self.workers, len(tasks)), listen)


class _Pool(Generic[Content, Result]):
    """Spawned workers, each with a pipe: a task goes down, what it tells and what it comes to come up."""

    def __init__(self, ready: Callable[[], Do[Content, Result]], environment: Mapping[str, str]) -> None:
        self.ready, self.environment = ready, environment
        self.busy: dict[Connection, Task[Content]] = {}
        self.processes: dict[Connection, BaseProcess] = {}

    def run(
        self, tasks: Sequence[Task[Content]], workers: int, listen: Callable[[object], None]
    ) -> Generator[tuple[Task[Content], Result], None, None]:
        """Hand out `tasks` in order until all are done."""
        queue = list(reversed(tasks))
        try:
            with environment(self.environment), bound_to_this_process():
                for _ in range(workers):
                    self._start()
            for pipe in self.processes:
                self._give(pipe, queue)
            while self.busy:
                ready = wait(list(self.busy))
                for pipe in [pipe for pipe in self.busy if pipe in ready]:
                    done, said = self._receive(pipe)
                    if not done:
                        listen(said)
                        continue
                    task = self.busy[pipe]
                    self._give(pipe, queue)
                    yield task, said  # type: ignore[misc]
        finally:
            self._stop()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.ready), daemon=True)
        process.start()
        theirs.close()  # so that a dead worker's pipe reads as ended
        self.processes[ours] = process

    def _give(self, pipe: Connection, queue: list[Task[Content]]) -> None:
        self.busy.pop(pipe, None)
        if queue:
            task = self.busy[pipe] = queue.pop()
            pipe.send(task.content)

    def _receive(self, pipe: Connection) -> tuple[bool, object]:
        """Take one message: whether the worker's task is done, and what it says."""
        try:
            done, said = pipe.recv()
        except (EOFError, ConnectionResetError):
            process = self.processes[pipe]
            process.join(_GRACE)
            name = self.busy[pipe].name
            raise OutOfResources(
                f"{name}: the worker died (exit code {process.exitcode}; -9 = killed, often for lack of memory); the "
                "same command goes on from the last epoch"
            ) from None
        if isinstance(said, Exception):
            raise said
        return done, said

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


def _work(pipe: Connection, ready: Callable[[], Do[Content, Result]]) -> None:
    """A worker's life: tasks from the pipe until it closes."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    do = ready()
    tell = Throttle(lambda event: _up(pipe, event))
    while True:
        try:
            content: Content = pipe.recv()
        except EOFError:
            return
        try:
            result = do(content, here, tell)
        except Exception as error:
            pipe.send((True, sendable(error)))
            return
        pipe.send((True, result))


def sendable(error: Exception) -> Exception:
    """`error` as another process can be sent it, what isn't ours with its traceback as a note."""
    if isinstance(error, DeepfactorError):
        error.__cause__ = None  # may not be picklable; its traceback is in the job's folder
        return error if travels(error) else _plain(error)
    text = f"{type(error).__name__}: {error}"
    told = RuntimeError(text)
    told.add_note(traceback.format_exc())
    return told


def travels(error: Exception) -> bool:
    """Whether another process can make it again: one that is made of more than its message may not be."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True


def _plain(error: DeepfactorError) -> DeepfactorError:
    """The same message with the same exit code."""
    bases = (OutOfResources, Interrupted, UserError)
    return next((kind for kind in bases if isinstance(error, kind)), DeepfactorError)(str(error))


def _up(pipe: Connection, event: object) -> None:
    try:
        pipe.send((False, event))
    except BrokenPipeError:
        os._exit(Interrupted.exit_code)  # the parent is gone


class Throttle:
    """Passes on what is told a few times a second; what has no attribute `passing`, or says that it isn't, always."""

    def __init__(self, tell: Callable[[object], None], seconds: float = _QUIET) -> None:
        self.tell, self.seconds, self.last = tell, seconds, 0.0

    def __call__(self, event: object) -> None:
        now = time.monotonic()
        if getattr(event, "passing", False) and now - self.last < self.seconds:
            return
        self.last = now
        self.tell(event)
