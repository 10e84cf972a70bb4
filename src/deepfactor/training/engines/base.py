"""What an engine does: it hands out tasks, passes on what they tell, and gives back what they come to.

A task is a job's folder and its key, or a number; what it leaves are files, or what it returns. An engine knows nothing
of training: it is given how a worker gets ready, which makes the function that does a task there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

#: What a task is about.
Content = TypeVar("Content")
#: What a task comes to.
Result = TypeVar("Result")
#: Where a folder of the one who asks lies for a worker.
Where = Callable[[Path], Path]
#: Takes what a task tells on its way.
Tell = Callable[[object], None]
#: Does a task in a worker.
Do = Callable[[Content, Where, Tell], Result]


@dataclass(frozen=True)
class Task(Generic[Content]):
    """Something to do.

    Attributes
    ----------
    name : for people
    content : what the worker is sent
    reads : folders that it reads, whose names stand for what they hold
    writes : the folder that it writes, and goes on in where it was broken off
    shares : a folder that its worker has to see, where none of these travels
    """

    name: str
    content: Content
    reads: tuple[Path, ...] = ()
    writes: Path | None = None
    shares: Path | None = None


@dataclass(frozen=True)
class Needs:
    """What a task takes of a machine: cores, bytes of memory (0 = not known), shares of a GPU."""

    cores: float = 1.0
    memory: int = 0
    gpus: float = 0.0


class Engine(Protocol):
    """Where tasks are done."""

    def each(
        self,
        ready: Callable[[], Do[Content, Result]],
        tasks: Sequence[Task[Content]],
        listen: Callable[[object], None],
        needs: Needs = Needs(),
    ) -> Generator[tuple[Task[Content], Result], None, None]:
        """Each task with what it came to, as they get done.

        Parameters
        ----------
        ready : called once in each worker; top-level or a partial, since a worker is sent it. What it gives does the
            worker's tasks, one after the other, and raises a `DeepfactorError` for what went wrong.
        listen : called here for what tasks tell.

        Raises
        ------
        Interrupted
            SIGINT or SIGTERM; no worker is left behind.
        OutOfResources
            workers die.
        """


def here(folder: Path) -> Path:
    """`Where` of a worker that sees the folders of the one who asks."""
    return folder
