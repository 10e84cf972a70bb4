"""The lock that other machines keep: another machine is one whose lease says another name."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from deepfactor.core import leases
from deepfactor.core.errors import InUse, UserError
from deepfactor.core.files import machine_id, remove_litter, temporary_of
from deepfactor.core.leases import LEASE, folder_lease, holder_of


def elsewhere(folder: Path, age: float, machine: str = "elsewhere") -> Path:
    """A lease of another machine, renewed `age` seconds ago."""
    file = folder / LEASE
    file.write_text(json.dumps({"machine": machine, "host": "node7", "pid": 12, "token": "t"}))
    os.utime(file, (time.time() - age,) * 2)
    return file


@pytest.fixture(autouse=True)
def _settles_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_SETTLED", 0.01)


def test_says_who_holds_a_folder_and_gives_it_back(tmp_path: Path) -> None:
    with folder_lease(tmp_path / "job"):
        held = holder_of(tmp_path / "job")
        assert held is not None
        assert (held["machine"], held["pid"]) == (machine_id(), os.getpid())
        with pytest.raises(InUse, match="is being written by another process"), folder_lease(tmp_path / "job"):
            pass
    assert holder_of(tmp_path / "job") is None
    assert sorted(path.name for path in (tmp_path / "job").iterdir()) == [".lock"]


def test_another_machine_is_waited_for_until_its_time_is_over(tmp_path: Path) -> None:
    elsewhere(tmp_path, 20)
    told = r"being written by process 12 on node7; if that machine is no more, it is free in (39|40) s"
    with pytest.raises(InUse, match=told) as caught, folder_lease(tmp_path):
        pass
    assert isinstance(caught.value, UserError)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LEASE, ".lock"]
    elsewhere(tmp_path, 61)
    with folder_lease(tmp_path):
        held = holder_of(tmp_path)
        assert held is not None
        assert held["host"] != "node7"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 1}'])
def test_what_the_dead_of_this_machine_left_is_no_obstacle(tmp_path: Path, text: str) -> None:
    elsewhere(tmp_path, 0, machine_id())
    with folder_lease(tmp_path):
        pass
    (tmp_path / LEASE).write_text(text)
    with folder_lease(tmp_path):
        assert holder_of(tmp_path) is not None


def test_is_renewed_while_it_is_held_and_left_alone_when_it_was_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEWED", 0.01)
    with folder_lease(tmp_path):
        os.utime(tmp_path / LEASE, (0, 0))
        end = time.monotonic() + 10
        while (tmp_path / LEASE).stat().st_mtime == 0 and time.monotonic() < end:
            time.sleep(0.01)
        assert (tmp_path / LEASE).stat().st_mtime > 0
        taken = elsewhere(tmp_path, 0)
    assert taken.exists()


def test_the_last_of_two_that_take_over_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(tmp_path, 100)
    monkeypatch.setattr(leases.time, "sleep", lambda seconds: elsewhere(tmp_path, 0, "third"))
    with pytest.raises(InUse, match="taken over by another machine at the same moment"), folder_lease(tmp_path):
        pass


def test_half_files_of_other_machines_stay_for_a_day(tmp_path: Path) -> None:
    ours, theirs = temporary_of(tmp_path / "a"), tmp_path / ".a.0badcafe-1.tmp"
    dead = tmp_path / f".a.{machine_id()}-999999999.tmp"
    for path in (ours, theirs, dead):
        path.touch()
    remove_litter(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [theirs.name]
    os.utime(theirs, (time.time() - 25 * 3600,) * 2)
    remove_litter(tmp_path)
    assert not list(tmp_path.iterdir())
