"""Engines where they can be seen without a cluster: who may have which, what is sent to a node and comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfactor.core.errors import UserError
from deepfactor.pipeline.console import Silent
from deepfactor.pipeline.engines import engine_of
from deepfactor.training.engines import carried
from deepfactor.training.engines.base import Task
from deepfactor.training.engines.carried import Carried, Growing, held, pack, receive, unpacked
from deepfactor.training.engines.on_ray import Ray
from deepfactor.training.engines.processes import Processes, sendable


def test_an_engine_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    say = Silent()
    assert engine_of("local", None, None, say) == Processes(1)
    assert engine_of("local", 0, None, say) == Processes(0)
    with pytest.raises(UserError, match="--address node1:6379 is a Ray cluster's: add --engine ray"):
        engine_of("local", 1, "node1:6379", say)
    with pytest.raises(UserError, match="leave out --engine ray"):
        engine_of("ray", 0, None, say)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"--engine ray needs Ray: pip install 'deepfactor\[ray\]'"):
        engine_of("ray", None, None, say)


def test_ray_sends_its_makers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray isn't installed")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    made = engine_of("ray", 3, "node1:6379", Silent(), gpus=0.25)
    assert isinstance(made, Ray)
    assert (made.address, made.most, made.gpus) == ("node1:6379", 3, 0.25)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def ready() -> Any:
    def do(content: int, where: object, tell: Any) -> int:
        if content < 0:
            raise ZeroDivisionError("planted")
        tell(content)
        return content * content

    return do


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_what_tasks_tell_and_come_to(workers: int) -> None:
    heard: list[object] = []
    tasks = [Task(str(i), i) for i in range(5)]
    done = {task.content: result for task, result in Processes(workers).each(ready, tasks, heard.append)}
    assert done == {i: i * i for i in range(5)}
    assert sorted(heard) == list(range(5))  # type: ignore[type-var]
    with pytest.raises((ZeroDivisionError, RuntimeError), match="planted") as caught:
        list(Processes(workers).each(ready, [Task("bad", -1)], heard.append))
    assert workers == 0 or "in do" in caught.value.__notes__[0]


def test_an_error_of_ours_is_sent_as_it_is() -> None:
    error = UserError("this")
    error.__cause__ = ValueError()
    assert sendable(error) is error
    assert error.__cause__ is None


def test_a_folder_travels_and_comes_back_as_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried.tempfile, "gettempdir", lambda: str(tmp_path / "node"))
    monkeypatch.setattr(carried, "_TOGETHER", 1000)
    arrays, job = tmp_path / "inputs-a", tmp_path / "jobs" / "key"
    for folder, names in ((arrays, ("x.npy", "deep/y.npy", ".lock")), (job, ("checkpoint", ".lease"))):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(os.urandom(900))
    objects: list[carried.Files] = []
    references = pack(arrays, lambda files: objects.append(files) or len(objects) - 1)
    assert len(references) == 2
    fetched: list[int] = []

    def get(reference: int) -> carried.Files:
        fetched.append(reference)
        return objects[reference]

    place = unpacked(arrays, references, get)
    assert place.name == arrays.name
    assert {name: bytes(one) for name, one in held(place).items()} == {
        name: (arrays / name).read_bytes() for name in ("deep/y.npy", "x.npy")
    }
    assert unpacked(arrays, references, get) == place
    assert fetched == references  # once a node
    growing = Growing(Carried({}, job, held(job)))
    assert growing.place.name == "key"
    assert growing.changed() == ({}, ["checkpoint"])
    (growing.place / "checkpoint").write_bytes(b"second")
    (growing.place / "done").write_bytes(b"{}")
    (growing.place / ".done.1.tmp").write_bytes(b"half")
    files, names = growing.changed()
    assert list(files) == ["checkpoint", "done"]  # in the order of their writing
    receive(job, files, names)
    assert (job / "checkpoint").read_bytes() == b"second"
    (growing.place / "checkpoint").unlink()
    receive(job, *growing.changed())
    assert sorted(path.name for path in job.iterdir()) == [".lease", "done"]
    growing.remove()
    assert not growing.place.exists()
    assert Growing(Carried({}, job, {})).place == growing.place, "a process has one folder, which it sweeps never"
    assert np.array_equal(held(job)["done"], np.frombuffer(b"{}", np.uint8))


class Package:
    """Ray as far as a connection goes."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def is_initialized(self) -> bool:
        return self.calls.count("init") > self.calls.count("shutdown")

    def init(self, **settings: object) -> None:
        self.calls.append("init")

    def shutdown(self) -> None:
        self.calls.append("shutdown")


def test_calls_of_a_command_share_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray: Any = Package()
    with ExitStack() as until:
        for _ in range(2):
            with Ray(until=until)._connected(ray):
                assert ray.is_initialized()
        assert ray.calls == ["init"]
    assert ray.calls == ["init", "shutdown"]
    for _ in range(2):
        with Ray()._connected(ray):
            assert ray.is_initialized()
    assert ray.calls == ["init", "shutdown"] * 3


LEAVES = """
import sys, time
from pathlib import Path
from deepfactor.training.engines import carried
carried.tempfile.gettempdir = lambda: sys.argv[1]
growing = carried.Growing(carried.Carried({}, Path("jobs/key"), {}))
(growing.place / "checkpoint").write_bytes(b"some")
print(growing.place, flush=True)
time.sleep(600)
"""


def test_what_dead_workers_left_is_swept_while_others_start(tmp_path: Path) -> None:
    """Those that live keep theirs, whoever sweeps."""
    start = [sys.executable, "-c", LEAVES, str(tmp_path)]
    workers = [subprocess.Popen(start, stdout=subprocess.PIPE, text=True) for _ in range(4)]  # at once
    try:
        places = [Path(worker.stdout.readline().strip()) for worker in workers if worker.stdout is not None]
        room = places[0].parents[1]
        assert len({place.parent for place in places}) == len(workers)
        assert all((place / "checkpoint").exists() for place in places)
        for worker in workers[:2]:
            worker.kill()
            worker.wait()
        (room / "writes-1").mkdir()  # of a version without locks
        with ThreadPoolExecutor(4) as sweepers:
            list(sweepers.map(carried.sweep, [room] * 8))
        assert set(room.iterdir()) == {place.parent for place in places[2:]}
        assert all((place / "checkpoint").exists() for place in places[2:])
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
