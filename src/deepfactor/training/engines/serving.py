"""The other half of `on_ray`: what a worker of the cluster does with a task."""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from deepfactor.core.errors import UserError
from deepfactor.core.version import __version__
from deepfactor.training.engines.base import Content, Do, Result, Where, here
from deepfactor.training.engines.carried import Carried, Growing, unpacked
from deepfactor.training.engines.processes import Throttle, sendable

_QUIET = 0.5  # seconds between what a worker passes on, at least

#: What a worker sends up: ("told" | "files" | "done" | "raised" | "unseen", what).
Said = tuple[str, object]
_kept: tuple[str, Do[Any, Any]] | None = None


def serve(
    name: str,
    ready: Callable[[], Do[Content, Result]],
    content: Content,
    proof: Path | None,
    version: str,
    carried: Carried | None,
) -> Iterator[Said]:
    """Do a task: what it tells, then what it came to. `proof`: a file that who shares the command's folders sees."""
    if version != __version__:
        told = f"{socket.gethostname()} has deepfactor {__version__}, the command {version}: install one everywhere"
        yield "raised", UserError(told)
        return
    if carried is None and proof is not None and not proof.exists():
        yield "unseen", socket.gethostname()
        return
    said: SimpleQueue[Said | None] = SimpleQueue()
    threading.Thread(target=_do, args=(name, ready, content, carried, said.put), daemon=True).start()
    while (one := said.get()) is not None:
        yield one


def _do(
    name: str,
    ready: Callable[[], Do[Content, Result]],
    content: Content,
    carried: Carried | None,
    put: Callable[[Said | None], None],
) -> None:
    """The task itself, beside the thread that passes on what it tells."""
    global _kept
    try:
        if _kept is None or _kept[0] != name:
            _kept = name, ready()
        do = _kept[1]
        if carried is None:
            put(("done", do(content, here, Throttle(partial(_tell, None, put), _QUIET))))
        else:
            _do_apart(do, content, carried, put)
    except Exception as error:
        put(("raised", sendable(error)))
    finally:
        put(None)


def _do_apart(do: Do[Content, Result], content: Content, carried: Carried, put: Callable[[Said | None], None]) -> None:
    """A task in folders of this node's own: what it writes is sent back, at its end whatever that is."""
    get = importlib.import_module("ray").get
    places = {folder: unpacked(folder, references, get) for folder, references in carried.reads.items()}
    growing = Growing(carried)
    where: Where = (places | {carried.writes: growing.place}).__getitem__
    try:
        result = do(content, where, Throttle(partial(_tell, growing, put), _QUIET))
    except Exception as error:
        error.args = tuple(str(one).replace(str(growing.place), str(carried.writes)) for one in error.args)
        raise
    finally:
        put(("files", growing.changed()))
        growing.remove()
    put(("done", result))


def _tell(growing: Growing | None, put: Callable[[Said | None], None], event: object) -> None:
    """Pass on what is told, what is written before what isn't `passing`."""
    if growing is not None and not getattr(event, "passing", False):
        put(("files", growing.changed()))
    put(("told", event))
