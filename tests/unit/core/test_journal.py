"""A log that only grows: whole lines, a torn one left out and ended by the next, each name once."""

from __future__ import annotations

import json
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfactor.core import journal


def _write_many(path: Path, who: int) -> None:
    for n in range(30):
        journal.append(path, {"who": who, "n": n, "text": "x" * 3000})


@pytest.mark.slow
def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    others = [get_context("spawn").Process(target=_write_many, args=(log, who)) for who in range(2)]
    for one in others:
        one.start()
    _write_many(log, 9)
    for one in others:
        one.join(60)
        assert one.exitcode == 0
    found = journal.read(log)
    assert found.unreadable == ()
    assert sorted((one["who"], one["n"]) for one in found.records) == [(w, n) for w in (0, 1, 9) for n in range(30)]


@given(st.integers(1, 200), st.booleans())
def test_torn_anywhere_the_whole_lines_stay(left: int, again: bool) -> None:
    import tempfile

    log = Path(tempfile.mkdtemp()) / "log.jsonl"
    for n in range(3):
        journal.append(log, {"n": n, "中": "文"})
    whole = log.read_bytes()
    log.write_bytes(whole[: max(len(whole) - left, 0)])
    kept = [one["n"] for one in journal.read(log).records]
    assert kept == list(range(len(kept)))
    assert len(kept) >= 3 - 1 - left // 20
    if again:
        journal.append(log, {"n": 7})
        assert [one["n"] for one in journal.read(log).records] == [*kept, 7]


def test_a_changed_line_is_none(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    journal.append(log, {"n": 1})
    journal.append(log, {"n": 2})
    log.write_text(log.read_text().replace('"n": 1', '"n": 5'))
    found = journal.read(log)
    assert [one["n"] for one in found.records] == [2]
    assert found.unreadable == (1,)


def test_a_name_stands_once(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert journal.append_new(log, "key", {"a": {"key": "a"}, "b": {"key": "b"}}) == ["a", "b"]
    before = log.read_bytes()
    assert journal.append_new(log, "key", {"b": {"key": "b", "other": 1}}) == []
    assert log.read_bytes() == before
    assert journal.append_new(log, "key", {"b": {"key": "b"}, "c": {"key": "c"}}) == ["c"]
    assert [json.loads(line)["key"] for line in log.read_text().splitlines()] == ["a", "b", "c"]


def test_no_file_is_no_record(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "none.jsonl") == journal.Journal()
