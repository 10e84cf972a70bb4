"""Long work in a process of its own, so that other readers don't wait for it; what is asked twice is done once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from deepfactor.core.errors import DeepfactorError, UserError
from deepfactor.training.spawning import bound_to_this_process
from deepfactor.workbench.shelf import NotHere

#: Pieces of work that may wait at once; one more is refused.
MOST_WAITING = 8
#: Answers that are kept.
MOST_KEPT = 64
#: Seconds that a page waits for its answer before it says that it is being made.
PATIENCE = 2.0


def done(work: Callable[..., object], *arguments: object) -> object:
    """In the process: the work; errors of ours as plain ones, since not all of them come through a pipe."""
    try:
        return work(*arguments)
    except DeepfactorError as error:
        raise (DeepfactorError if error.exit_code == 1 else UserError)(str(error)) from None


class Aside:
    """One process, started when it is first wanted."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        # A process is bound to the thread that starts it, and those of requests come and go.
        self._starter = ThreadPoolExecutor(1)
        self._answers: OrderedDict[str, tuple[object, Future[Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, key: str, work: Callable[..., object], *arguments: object) -> Future[Any]:
        """The answer to be of ``work(*arguments)``, which the process does unless `key` was asked before.

        Raises
        ------
        UserError
            too much is waiting.
        """
        with self._lock:
            known = self._answers.get(key)
            if known is not None and not (known[1].done() and known[1].exception() is not None):
                return known[1]
            if sum(not future.done() for _, future in self._answers.values()) >= MOST_WAITING:
                raise UserError("too much is being computed: wait for some of it")
            answer = self._submitted(work, arguments)
            self._answers[key] = (arguments, answer)
            while len(self._answers) > MOST_KEPT:
                self._answers.popitem(last=False)
        return answer

    def of(self, key: str) -> tuple[Any, Future[Any]]:
        """What was asked, and its answer to be; a `NotHere` where there is none any more."""
        with self._lock:
            if key not in self._answers:
                raise NotHere("this answer is gone: ask again")
            return self._answers[key]

    def _submitted(self, work: Callable[..., object], arguments: tuple[object, ...]) -> Future[Any]:
        with bound_to_this_process():
            for _ in range(2):
                if self._pool is None:
                    self._pool = ProcessPoolExecutor(1, get_context("spawn"))
                try:
                    return self._starter.submit(self._pool.submit, done, work, *arguments).result()
                except BrokenProcessPool:
                    self._pool = None
        raise UserError("the process that computes can't be started")

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._pool is not None:
            for process in list(self._pool._processes.values()):
                process.terminate()
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._starter.shutdown(wait=False)
