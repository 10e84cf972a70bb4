"""Runs that the workbench starts: processes of their own, found again after the server's end, stopped as by Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deepfactor.core.errors import UserError
from deepfactor.core.files import write_json
from deepfactor.recipe import shipped_recipes
from deepfactor.workbench.shelf import NotHere

#: Where calls are noted, below the runs folder: hidden, since it is no run.
FOLDER = ".workbench"
#: Calls that may run at once.
MOST_RUNNING = 2
_NUMBER = re.compile(r"\d{1,6}")


@dataclass(frozen=True)
class Call:
    """A started ``deepfactor run``.

    `born`: when the process began, in ticks since the machine's start: a process of its number that began at another
    time is another one. `code`: its exit code; None = it runs, or ended while no server was there to see it. `stopped`:
    it was told to stop.
    """

    number: str
    recipe: str
    command: tuple[str, ...]
    started: str
    pid: int
    born: str
    code: int | None = None
    stopped: bool = False

    @property
    def running(self) -> bool:
        """Does it still run?"""
        return self.code is None and _born(self.pid) == self.born


def recipes(runs: Path) -> tuple[list[str], list[str]]:
    """What may be started: recipes that ship, and TOML files of the runs folder itself."""
    own = [path.name for path in runs.glob("*.toml") if path.is_file() and path.resolve().parent == runs]
    return shipped_recipes(), sorted(own)


class Calls:
    """The calls of a runs folder."""

    def __init__(self, runs: Path, market: Path) -> None:
        self._runs, self._market = runs, market
        self._lock = threading.Lock()

    def all(self) -> list[Call]:
        """All calls that are known, the latest first."""
        folder = self._runs / FOLDER
        found = [call for path in folder.glob("*.json") if (call := _read(path)) is not None] if folder.is_dir() else []
        return sorted(found, key=lambda call: -int(call.number))

    def one(self, number: str) -> Call:
        """A call; a `NotHere` where there is none."""
        for call in self.all():
            if call.number == number:
                return call
        raise NotHere(f"no call {number!r} was started here")

    def log(self, call: Call) -> Path:
        """What it says."""
        return self._runs / FOLDER / f"{call.number}.log"

    def start(self, recipe: str, workers: int) -> Call:
        """Start a recipe.

        Raises
        ------
        UserError
            no such recipe, or too many run.
        """
        shipped, own = recipes(self._runs)
        if recipe not in (*shipped, *own):
            raise UserError(f"no recipe {recipe!r}: a shipped one, or a .toml file that lies in the runs folder")
        if not 1 <= workers <= (os.cpu_count() or 1):
            raise UserError(f"{workers} workers: this machine has {os.cpu_count()} cores")
        named = recipe if recipe in shipped else str(self._runs / recipe)
        with self._lock:
            if sum(call.running for call in self.all()) >= MOST_RUNNING:
                raise UserError(f"{MOST_RUNNING} runs are running: stop one, or wait for it")
            return self._started(recipe, named, workers)

    def _started(self, recipe: str, named: str, workers: int) -> Call:
        folder = self._runs / FOLDER
        folder.mkdir(exist_ok=True)
        number = str(1 + max((int(call.number) for call in self.all()), default=0))
        places = ("--market", str(self._market), "--out", str(self._runs), "--workers", str(workers))
        command = (sys.executable, "-m", "deepfactor", "run", named, *places)
        with (folder / f"{number}.log").open("wb") as log, _signals_wait():
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        shown = ("deepfactor", *command[3:])
        now = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        call = Call(number, recipe, shown, now, process.pid, _born(process.pid) or "")
        self._write(call)
        threading.Thread(target=self._await, args=(call, process), daemon=True).start()
        return call

    def _await(self, call: Call, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._lock:
            self._write(replace(self.one(call.number), code=code))

    def _write(self, call: Call) -> None:
        write_json(self._runs / FOLDER / f"{call.number}.json", asdict(call))

    def stop(self, number: str) -> Call:
        """Stop a call as Ctrl-C does: what is finished stays, the same start goes on from there."""
        with self._lock:
            call = self.one(number)
            if call.running:
                self._write(replace(call, stopped=True))
                os.kill(call.pid, signal.SIGINT)
        return call


@contextmanager
def _signals_wait() -> Iterator[None]:
    """A process that is started here gets a signal once it listens, also one that is sent before, or that whoever
    started this server ignores."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _read(path: Path) -> Call | None:
    """A noted call; None where the file is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        call = Call(**{**content, "command": tuple(content["command"])})
    except (OSError, ValueError, TypeError, LookupError):
        return None
    whole = isinstance(call.pid, int) and call.pid > 1 and path.stem == call.number and _NUMBER.fullmatch(call.number)
    return call if whole else None


def _born(pid: int) -> str | None:
    """When a process began; None where there is none, or it has ended and waits to be seen."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # behind the name, which may hold anything
    return None if fields[0] in "ZX" else fields[19]
