"""Specs, kinds, atomic files, locks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from deepfactor.core.errors import KindError, OutOfResources, RecipeError, UserError
from deepfactor.core.files import atomic_path, folder_lock, remove_litter, write_json, write_text
from deepfactor.core.kind import Kind, kinds_in
from deepfactor.core.spec import Spec, content_key
from deepfactor.core.trust import Trust
from deepfactor.labels.base import ROOM as LABELS


class Sample(Spec):
    a: int = 1
    b: tuple[float, ...] = (0.5,)


def test_key_depends_on_content_alone() -> None:
    assert Sample().key() == Sample(a=1, b=(0.5,)).key()
    assert Sample().key() != Sample(a=2).key()
    assert content_key({"x": 1, "y": 2}) == content_key({"y": 2, "x": 1})
    code = "from deepfactor.core.spec import content_key; print(content_key({'x': 1, 'y': [1.5, None]}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == content_key({"y": [1.5, None], "x": 1})


def test_specs_are_closed_and_frozen() -> None:
    with pytest.raises(ValidationError):
        Sample(c=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Sample().a = 2  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Sample(b=(float("nan"),))


def test_a_kind_is_a_file() -> None:
    assert "neutral_return" in kinds_in("deepfactor.labels")
    assert LABELS.choose(Kind(kind="neutral_return", horizon=5), key="label").settings.horizon == 5  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Kind(kind="nothing"), r"label\.kind: no kind 'nothing' .*neutral_return"),
        (Kind(kind="neutral_return", horizn=5), r"label\.horizn"),
        (Kind(kind="neutral_return", horizon="ten"), r"label\.horizon: .*'ten'"),
        (Kind(kind="os:path"), "--allow-code"),
    ],
)
def test_a_wrong_kind_names_its_key(kind: Kind, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        LABELS.choose(kind, key="label")


def test_code_from_outside_needs_settings() -> None:
    with pytest.raises(KindError, match="no class Settings"):
        LABELS.choose(Kind(kind="os:path"), key="label", trust=Trust(outside=True))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["f.txt"]


def test_a_full_disk_is_out_of_resources(tmp_path: Path) -> None:
    def fill() -> None:
        with atomic_path(tmp_path / "f"):
            raise OSError(28, "No space left on device")

    with pytest.raises(OutOfResources, match="no space left"):
        fill()


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from deepfactor.core.files import folder_lock\n"
        f"with folder_lock(Path({str(tmp_path)!r})): print('held')"
    )
    with folder_lock(tmp_path):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "being written by another process" in other.stderr
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "held\n"
    with pytest.raises(UserError), folder_lock(tmp_path), folder_lock(tmp_path):
        pass


def test_litter_of_dead_processes_goes_and_that_of_living_ones_stays(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    below = tmp_path / "below"
    below.mkdir()
    dead, own = below / f".x.json.{child.pid}.tmp", tmp_path / f".y.{os.getpid()}.tmp"
    kept = [below / f".x.json.{os.getppid()}.tmp", tmp_path / ".mine.tmp", tmp_path / "x.json"]
    for path in (dead, own, *kept):
        path.touch()
    (folder := below / f".arrays-x.{child.pid}.tmp").mkdir()
    (folder / "0.npy").touch()
    remove_litter(tmp_path)
    assert not folder.exists()
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == sorted(kept)
    remove_litter(tmp_path / "absent")
