"""Checksums of files, and when they are compared."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from pathlib import Path

import pytest

from deepfactor.core import checksums, notes
from deepfactor.core.checksums import (
    checksum,
    damaged,
    file_checksum,
    read_checksums,
    sealed,
    sealed_line,
    unsealed,
    unsealed_line,
    write_checksums,
)
from deepfactor.core.errors import DamagedFile, DataError
from support.damage import flip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f").mkdir()
    for name in ("a", "b"):
        (tmp_path / "f" / name).write_bytes(name.encode() * 3_000_000)
    return tmp_path / "f"


def sums(folder: Path) -> dict[str, str]:
    return {name: file_checksum(folder / name) for name in ("a", "b")}


def test_a_checksum_goes_on_from_that_of_the_bytes_before(folder: Path) -> None:
    content = (folder / "a").read_bytes()
    assert file_checksum(folder / "a") == checksum(content) == f"{zlib.crc32(content):08x}"
    assert checksum(content[7:], checksum(content[:7])) == checksum(content)


def test_files_are_compared_once_a_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, seen = sums(folder), []

    def measure(path: Path) -> str:
        seen.append(path.name)
        return file_checksum(path)

    def compared(*, again: bool = True, **how: bool) -> list[str]:
        seen.clear()
        if again:
            monkeypatch.setattr(checksums, "_whole", {})  # another process
        assert damaged(folder, wanted, measure, **how) == {}
        return list(seen)

    assert compared() == ["a", "b"]
    assert compared() == []
    assert compared(always=True) == ["a", "b"]
    (folder / "b").touch()
    assert compared() == ["b"]
    os.utime(folder / "a", ns=(1, 1))
    assert compared(keep=False) == ["a"]
    assert compared(again=False) == []
    assert compared() == ["a"], "was not kept"
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert compared() == ["a", "b"], "without a cache each process compares"
    assert compared(again=False) == []


def test_what_is_wrong(folder: Path) -> None:
    wanted = sums(folder)
    flip(folder / "a")
    (folder / "b").unlink()
    assert damaged(folder, wanted) == {"a": "does not hold what was written", "b": "is missing"}
    (folder / "b").mkdir()
    assert damaged(folder, wanted)["b"] == "is a folder"
    assert damaged(folder / "a", {"c": wanted["a"]}).keys() == {"c"}


def test_a_note_on_a_folder_that_is_no_more_goes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    damaged(other, sums(other))
    shutil.rmtree(other)
    damaged(folder, sums(folder))
    (note,) = (tmp_path / "cache" / "deepfactor" / "whole").glob("*.json")
    assert str(folder) in note.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "[]", "null", '{"folder": 3}', '{"folder": "FOLDER", "whole": 7}', "\xff"])
def test_a_broken_note_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    damaged(folder, sums(folder))
    monkeypatch.setattr(checksums, "_whole", {})
    notes._place("whole", folder).write_text(text.replace("FOLDER", str(folder)), encoding="latin-1")
    assert damaged(folder, sums(folder)) == {}


def test_a_file_that_may_not_be_read_is_no_damage(folder: Path) -> None:
    def measure(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    with pytest.raises(DataError, match="may not be read"):
        damaged(folder, {"a": "00000000"}, measure, always=True)


def test_checksums_of_a_folder(folder: Path) -> None:
    assert read_checksums(folder) is None
    write_checksums(folder, sums(folder))
    assert read_checksums(folder) == sums(folder)
    for text in ("", "{", "[]", '{"a": 1}'):
        (folder / checksums.CHECKSUMS).write_text(text)
        with pytest.raises(DamagedFile, match=r"checksums.json: is damaged"):
            read_checksums(folder)


def test_a_seal_is_broken_by_any_change() -> None:
    content = {"a": [1.5, None], "b": {"c": "深"}}
    assert unsealed(sealed(content)) == content
    for other in (content, {**sealed(content), "a": [1.5]}, {**sealed(content), "more": 1}, [], {}, None, "text"):
        with pytest.raises(ValueError, match="checksum"):
            unsealed(other)


def test_a_sealed_line_is_broken_by_any_change() -> None:
    content = {"b": {"c": "深", "checksum": "0"}, "a": [1.5, None]}
    line = sealed_line(content)
    assert unsealed(json.loads(line)) == content
    assert unsealed_line(line) == content
    assert unsealed_line(json.dumps(sealed(content), ensure_ascii=False).encode()) == content
    for place in range(len(line)):
        with pytest.raises(ValueError, match=r"checksum|line 1|utf-8|nvalid"):
            unsealed_line(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :])
    for other in (b"[]", b'{"a":1}', b'[1,"checksum":"00000000"}', line[:-1], line + b"}"):
        with pytest.raises(ValueError, match=r"checksum|line 1"):
            unsealed_line(other)
