"""Tasks on a Ray cluster: an existing one by its address, or one of this machine that ends with the command.

A task is a Ray task of its own that streams what it tells. Ray is told to try nothing again: a task whose worker or
node died is handed out anew from here, and goes on from what its folder holds. A folder that another process works on,
on whatever machine, is asked for again until it is free, so that two commands on one store share its tasks.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Generic

from deepfactor.core.errors import Interrupted, InUse, OutOfResources, UserError
from deepfactor.core.leases import folder_lease
from deepfactor.core.optional import optional_package
from deepfactor.core.version import __version__
from deepfactor.training.engines.base import Content, Do, Needs, Result, Task
from deepfactor.training.engines.carried import Carried, Files, Reference, held, pack, receive
from deepfactor.training.engines.processes import WORKER_ENVIRONMENT
from deepfactor.training.engines.serving import serve

_LOOK = 0.5  # seconds after which the driver looks up from waiting
_AGAIN = 5.0  # seconds after which a folder in use is asked for again, and nodes are counted
_DEATHS = 3  # of workers of one task, with nothing kept in between
_GRACE = 10.0  # seconds that cancelled tasks have to end
#: Of a cluster of this machine: what is handed over are small messages.
_OBJECTS = 200 * 2**20


@dataclass(frozen=True)
class Ray:
    """A cluster at `address` ("auto": one that runs on this machine; None: the one that ``RAY_ADDRESS`` names, else one
    of this machine's cores that ends with the command), `most` tasks at once (None: what fits), each with `gpus` of a
    GPU where it computes on one. `say`: for people. `environment`: of its workers. `until`: what closes the connection,
    that several calls share it; without, each has its own."""

    address: str | None = None
    most: int | None = None
    gpus: float = 1.0
    say: Callable[[str], None] = lambda text: None
    environment: Mapping[str, str] = field(default_factory=lambda: WORKER_ENVIRONMENT)
    until: ExitStack | None = None

    @property
    def _address(self) -> str | None:
        return self.address or os.environ.get("RAY_ADDRESS")

    def each(
        self,
        ready: Callable[[], Do[Content, Result]],
        tasks: Sequence[Task[Content]],
        listen: Callable[[object], None],
        needs: Needs = Needs(),
    ) -> Generator[tuple[Task[Content], Result], None, None]:
        if not tasks:
            return
        ray = package()
        with self._connected(ray), _signals() as stopped, _seen_by_others(tasks) as proofs:
            taken = replace(needs, gpus=needs.gpus * self.gpus)
            driver: _Driver[Content, Result] = _Driver(ray, ready, taken, self.most, proofs, self.say, self.environment)
            try:
                yield from driver.run(tasks, listen, stopped)
            finally:
                driver.cancel()

    @contextmanager
    def _connected(self, ray: ModuleType) -> Iterator[None]:
        """Connected to the cluster; a connection that the caller has is used and left."""
        if ray.is_initialized():
            yield
            return
        own = {"num_cpus": self.most, "include_dashboard": False, "object_store_memory": _OBJECTS}
        try:
            _knock(self._address)
            ray.init(
                address=self._address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if self._address else own),
            )
        except (OSError, RuntimeError, ValueError) as error:
            if self._address:
                told = f"no Ray cluster at {self._address} (ray start --head on its first machine): {error}"
                raise UserError(told) from None
            raise UserError(f"no Ray cluster can be started here: {error}") from None
        if self.until is not None:
            self.until.callback(ray.shutdown)
            yield
            return
        try:
            yield
        finally:
            ray.shutdown()


def package() -> ModuleType:
    """Ray, told to send its makers nothing.

    Raises
    ------
    UserError
        it isn't installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    return optional_package("ray", UserError("--engine ray needs Ray: pip install 'deepfactor[ray]'"))


def _knock(address: str | None) -> None:
    """An OSError where nobody answers at HOST:PORT: Ray would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_GRACE).close()


@contextmanager
def _signals() -> Iterator[list[int]]:
    """SIGINT and SIGTERM put their number into the list: Ray's calls swallow what a handler raises in them."""
    got: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield got
        return

    def note(number: int, frame: FrameType | None) -> None:
        got.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _seen_by_others(tasks: Sequence[Task[Content]]) -> Iterator[dict[Path, Path]]:
    """By folder that workers should see, a file in it that only who shares it can see."""
    folders = {folder for task in tasks if (folder := _shared(task)) is not None}
    proofs = {folder: folder / f".seen.{uuid.uuid4().hex}" for folder in folders}
    for folder, proof in proofs.items():
        folder.mkdir(parents=True, exist_ok=True)
        proof.touch()
    try:
        yield proofs
    finally:
        for proof in proofs.values():
            proof.unlink(missing_ok=True)


def _shared(task: Task[Content]) -> Path | None:
    """The folder that a task's worker should see."""
    return task.writes.parent if task.writes else task.shares


@dataclass
class _Run(Generic[Content]):
    """A task that is handed out, the lease of a folder that comes back, and whether something was kept since."""

    task: Task[Content]
    stream: Any
    lease: ExitStack
    kept: bool = False


@dataclass
class _Driver(Generic[Content, Result]):
    """Hands out tasks and listens to them, until all are done."""

    ray: ModuleType
    ready: Callable[[], Do[Content, Result]]
    needs: Needs
    most: int | None
    proofs: dict[Path, Path]
    say: Callable[[str], None]
    environment: Mapping[str, str]
    runs: deque[_Run[Content]] = field(default_factory=deque)
    deaths: dict[str, int] = field(default_factory=dict)
    waited: set[str] = field(default_factory=set)
    later: list[tuple[float, Task[Content]]] = field(default_factory=list)
    carries: bool = False
    packed: dict[Path, list[Reference]] = field(default_factory=dict)

    def run(
        self, tasks: Sequence[Task[Content]], listen: Callable[[object], None], stopped: list[int]
    ) -> Generator[tuple[Task[Content], Result], None, None]:
        queue = deque(tasks)
        give = partial(self._remote().remote, uuid.uuid4().hex, self.ray.put(self.ready))
        counted, most = -_AGAIN, 0
        while queue or self.runs or self.later:
            if time.monotonic() - counted > _AGAIN:
                counted, most = time.monotonic(), self._slots()
            queue.extend(self._due())
            while queue and len(self.runs) < most:
                self._hand_out(queue.popleft(), give)
            heard = self._heard()
            if stopped:
                told = signal.Signals(stopped[0]).name
                raise Interrupted(f"stopped by {told}; the same command goes on from the last epoch")
            for stream in heard:
                run = next(run for run in self.runs if run.stream is stream)
                self.runs.remove(run)
                try:
                    what, said = self._hear(run)
                except BaseException:
                    run.lease.close()
                    raise
                if what in ("told", "files"):
                    self.runs.append(run)  # behind the others, so that all are heard
                    run.kept = run.kept or not getattr(said, "passing", False)
                    self._take(run, said) if what == "files" else listen(said)
                    continue
                run.lease.close()
                if what in ("died", "unseen"):
                    queue.appendleft(run.task)
                elif what == "done":
                    yield run.task, said

    def _hand_out(self, task: Task[Content], give: Callable[..., Any]) -> None:
        """Give a task to the cluster, with its folders where some node doesn't share them."""
        shared = _shared(task)
        proof = None if shared is None else self.proofs[shared]
        carried, lease = None, ExitStack()
        if self.carries and task.writes:
            try:
                lease.enter_context(folder_lease(task.writes))
            except InUse as error:
                self._wait(task, error)
                return
            for folder in task.reads:
                if folder not in self.packed:
                    self.packed[folder] = pack(folder, self.ray.put)
            carried = Carried({folder: self.packed[folder] for folder in task.reads}, task.writes, held(task.writes))
        self.runs.append(_Run(task, give(task.content, proof, __version__, carried), lease))

    def _take(self, run: _Run[Content], said: tuple[Files, list[str]]) -> None:
        """Write what has come back."""
        assert run.task.writes is not None
        receive(run.task.writes, *said)

    def cancel(self) -> None:
        """End what is handed out, and wait until it has ended."""
        for run in self.runs:
            with suppress(Exception):  # ended meanwhile, or with its node
                self.ray.cancel(run.stream, force=True)
        if self.runs:
            ends = [run.stream.completed() for run in self.runs]
            self.ray.wait(ends, num_returns=len(ends), timeout=_GRACE)
        for run in self.runs:
            run.lease.close()
        self.runs.clear()

    def _heard(self) -> list[Any]:
        """The stream of a task that has said something; none after a while."""
        if not self.runs:
            time.sleep(_LOOK)
            return []
        heard: list[Any] = self.ray.wait([run.stream for run in self.runs], timeout=_LOOK)[0]
        return heard

    def _remote(self) -> Any:
        """Ray's function that does a task."""
        taken = {"num_cpus": self.needs.cores, "num_gpus": self.needs.gpus or None, "memory": self.needs.memory or None}
        environment = {"env_vars": dict(self.environment)}
        return self.ray.remote(serve).options(
            num_returns="streaming", max_retries=0, scheduling_strategy="SPREAD", runtime_env=environment, **taken
        )

    def _slots(self) -> int:
        """Tasks that all nodes can do at once, as they are now, and two that wait for them.

        Raises
        ------
        UserError
            none can do one.
        """
        wanted = {"CPU": self.needs.cores, "GPU": self.needs.gpus, "memory": float(self.needs.memory)}
        wanted = {name: amount for name, amount in wanted.items() if amount > 0}
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        fit = sum(min(int(node.get(name, 0.0) / amount + 1e-9) for name, amount in wanted.items()) for node in nodes)
        if fit == 0 and not self.runs:
            told = ", ".join(f"{name} {amount:g}" for name, amount in wanted.items())
            raise UserError(f"no node of the Ray cluster has what a job takes ({told}): {len(nodes)} nodes are there")
        return min(fit + 2, self.most or fit + 2)

    def _due(self) -> list[Task[Content]]:
        """What is to be asked for again."""
        now = time.monotonic()
        due = [task for at, task in self.later if at <= now]
        self.later = [(at, task) for at, task in self.later if at > now]
        return due

    def _hear(self, run: _Run[Content]) -> tuple[str, Any]:
        """What a task says next: ("told" | "files" | "done" | "died" | "unseen" | "later", what)."""
        failures = self.ray.exceptions
        try:
            what, said = self.ray.get(next(run.stream))
        except failures.RayTaskError as error:
            raise UserError(f"{run.task.name}: a node of the cluster can't do it: {error.cause!r}") from error
        except StopIteration:
            return self._died(run, "it ended without a word")
        except (failures.RaySystemError, failures.RayError) as error:
            return self._died(run, str(error).strip().splitlines()[0])
        if what == "raised":
            if isinstance(said, InUse):
                return self._wait(run.task, said)
            raise said
        if what == "unseen":
            self._carry(str(said), run.task)
        return what, said

    def _carry(self, node: str, task: Task[Content]) -> None:
        """From now on tasks travel with their folders."""
        folder = _shared(task)
        if task.writes is None:
            told = f"{node} doesn't see {folder}: put it where all nodes share it, or leave out --engine ray"
            raise UserError(told)
        if not self.carries:
            self.carries = True
            self.say(f"{node} doesn't see {folder}: jobs travel with their folders")

    def _died(self, run: _Run[Content], how: str) -> tuple[str, Any]:
        name = run.task.name
        self.deaths[name] = 1 if run.kept else self.deaths.get(name, 0) + 1
        if self.deaths[name] >= _DEATHS:
            raise OutOfResources(
                f"{name}: {_DEATHS} workers died, one after the other ({how}); the same command goes on from there"
            )
        self.say(f"{name}: its worker died ({how}): it goes on in another one")
        return "died", None

    def _wait(self, task: Task[Content], why: InUse) -> tuple[str, Any]:
        if task.name not in self.waited:
            self.say(f"{task.name}: {why}")
            self.waited.add(task.name)
        self.later.append((time.monotonic() + _AGAIN, task))
        return "later", None
