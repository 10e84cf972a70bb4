"""What a verb says while it works: time left, lines kept, nothing to those who don't ask."""

from __future__ import annotations

import re
import time

import pytest

from deepfactor.pipeline.console import Clock, Logged, Silent, step


@pytest.fixture
def now(monkeypatch):
    """A monotonic clock that the test turns on."""
    state = {"now": 1000.0}
    monkeypatch.setattr(time, "monotonic", lambda: state["now"])
    return lambda seconds: state.__setitem__("now", 1000.0 + seconds)


@pytest.mark.parametrize(
    ("seconds", "done", "total", "text"),
    [
        (0, 0, 10, ""),
        (50, 0, 10, ""),
        (50, 1, 10, "7:30"),
        (50, 5, 10, "0:50"),
        (50, 10, 10, "0:00"),
        (9, 0.5, 1.0, "0:09"),
        (400, 1, 10, "1:00:00"),
        (10, 1, 1001, "2:46:40"),
        (36000, 1, 4, "30:00:00"),
    ],
)
def test_time_left(now, seconds, done, total, text):
    clock = Clock()
    now(seconds)
    assert clock.left(done, total) == text


def test_time_left_of_what_goes_on_counts_from_where_it_began(now):
    """Eight of ten epochs lay in the checkpoint: they took no time of this process."""
    clock = Clock(8)
    now(60)
    assert clock.left(8, 10) == ""
    assert clock.left(9, 10) == "1:00"


class Heard:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def say(self, text: str) -> None:
        self.calls.append(("say", text))

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        self.calls.append(("progress", key, done, total, note))

    def finish(self, key: str) -> None:
        self.calls.append(("finish", key))


def test_lines_are_kept_and_everything_is_passed_on(tmp_path):
    heard = Heard()
    console = Logged(heard, tmp_path / "runs" / "run.log")
    console.say("first")
    console.progress("job", 1, 2, "note")
    console.finish("job")
    Logged(Silent(), tmp_path / "runs" / "run.log").say("zweitens, 第二")
    assert heard.calls == [("say", "first"), ("progress", "job", 1, 2, "note"), ("finish", "job")]
    first, second = (tmp_path / "runs" / "run.log").read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d first", first)
    assert second.endswith(" zweitens, 第二")


def test_a_step_says_how_long_it_took_once_it_is_done(monkeypatch):
    heard, seconds = Heard(), iter((5.0, 7.25))
    monkeypatch.setattr(time, "perf_counter", lambda: next(seconds))
    with step(heard, "made it"):
        assert not heard.calls
    assert heard.calls == [("say", "made it (2.2 s)")]
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    with pytest.raises(ValueError, match="no"), step(heard, "never"):
        raise ValueError("no")
    assert len(heard.calls) == 1
