"""Spawned processes that can't outlive the one that started them, from their first instruction on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn

from deepfactor.core.errors import Interrupted

#: What a worker does before it imports anything of the main module or of ours, which takes seconds. Linux kills it with
#: the thread that started it (prctl(2), PR_SET_PDEATHSIG = 1); elsewhere it looks twice a second whether it still has
#: its parent. Ctrl-C reaches the whole group, and the parent decides.
_FIRST = """\
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    import ctypes
    bound = ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0) == 0
except (ImportError, OSError, AttributeError, TypeError):
    bound = False
def watch():
    while os.getppid() == {parent}:
        time.sleep(0.5)
    os._exit({code})
if not bound:
    import threading, time
    threading.Thread(target=watch, daemon=True).start()
if os.getppid() != {parent}:
    os._exit({code})
"""


@contextmanager
def bound_to_this_process() -> Iterator[None]:
    """Processes that `multiprocessing` spawns inside end when this one does, however it ends: no orphans."""
    plain = spawn.get_command_line

    def bound(**handles: int) -> list[str]:
        command = plain(**handles)
        place = command.index("-c") + 1
        command[place] = _FIRST.format(parent=os.getpid(), code=Interrupted.exit_code) + command[place]
        return command

    spawn.get_command_line = bound
    try:
        yield
    finally:
        spawn.get_command_line = plain
