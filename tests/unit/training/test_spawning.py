"""`kill -9` of a process whose workers are still starting: none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Seconds in which orphans have to be gone.
GRACE = 5.0
#: Two workers whose main module takes a minute to import; the second argument says whether they are bound.
PARENT = """
import contextlib, multiprocessing, sys, time
from deepfactor.training.spawning import bound_to_this_process

def nothing():
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with bound_to_this_process() if sys.argv[1] == "bound" else contextlib.nullcontext():
        workers = [context.Process(target=nothing) for _ in range(2)]
        print("starting", flush=True)
        for worker in workers:
            worker.start()
    print("started", flush=True)
    time.sleep(600)
elif sys.argv[2] == "slow":
    time.sleep(60)
"""


class Family:
    """A process and those it starts, known by a variable in their environment."""

    def __init__(self, folder: Path, bound: bool, importing: str) -> None:
        script, self.mark = folder / "parent.py", uuid.uuid4().hex
        script.write_text(PARENT)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "DEEPFACTOR_TEST_FAMILY": self.mark}
        words = [sys.executable, str(script), "bound" if bound else "plain", importing]
        self.parent = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment)

    def wait_for(self, line: str) -> None:
        assert self.parent.stdout is not None
        assert self.parent.stdout.readline().decode().strip() == line

    def kill_parent(self) -> None:
        self.parent.kill()
        self.parent.wait()
        assert self.parent.stdout is not None
        self.parent.stdout.close()

    def workers(self) -> list[int]:
        """Those that run, but for the parent and multiprocessing's own resource tracker."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                mine = self.mark.encode() in (folder / "environ").read_bytes()
                if mine and b"spawn_main" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def left(self) -> list[int]:
        """Workers that are still there after the grace."""
        deadline = time.monotonic() + GRACE
        while (found := self.workers()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def end(self) -> None:
        for pid in (self.parent.pid, *self.workers()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def families() -> Iterator[list[Family]]:
    made: list[Family] = []
    yield made
    for family in made:
        family.end()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("importing", ["slow", "quick"])
def test_no_worker_is_left_whenever_its_parent_is_killed(
    tmp_path: Path, families: list[Family], importing: str
) -> None:
    for moment in range(10):
        family = Family(tmp_path, True, importing)
        families.append(family)
        family.wait_for("starting")
        time.sleep(0.2 * (moment / 9) ** 2)  # from before the first worker is forked to when both import
        family.kill_parent()
        assert family.left() == [], moment


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_that_is_not_bound_is_left(tmp_path: Path, families: list[Family]) -> None:
    """So that the test above can fail."""
    family = Family(tmp_path, False, "slow")
    families.append(family)
    family.wait_for("starting")
    family.wait_for("started")
    family.kill_parent()
    time.sleep(0.5)
    assert family.workers()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_where_the_system_binds_nothing_the_parent_is_watched(
    tmp_path: Path, families: list[Family], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import ctypes; ctypes.CDLL = None")  # as if there were no prctl
    monkeypatch.syspath_prepend(tmp_path)
    family = Family(tmp_path, True, "slow")
    families.append(family)
    family.wait_for("starting")
    family.wait_for("started")
    time.sleep(0.5)
    family.kill_parent()
    assert family.left() == []
