"""Plain lines for logs and pipes, bars for people."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator

import pytest
from rich.console import Console as RichConsole

from deepfactor.pipeline import terminal
from deepfactor.pipeline.terminal import PLAIN_EVERY, Live, Plain


@pytest.fixture
def now(monkeypatch):
    state = {"now": 50.0}
    monkeypatch.setattr(time, "monotonic", lambda: state["now"])
    return lambda seconds: state.__setitem__("now", 50.0 + seconds)


def test_plain_speaks_every_so_often_and_on_standard_error(now, capsys):
    console = Plain()
    console.say("begun")
    for second in range(101):
        now(second)
        console.progress("job", second, 200, "epoch 1")
    seen = capsys.readouterr()
    assert not seen.out
    begun, *lines = seen.err.splitlines()
    assert begun == "begun"
    assert lines == [
        f"job: {second / 200:.0%}, {(200 - second) // 60}:{(200 - second) % 60:02d} left, epoch 1"
        for second in range(20, 101, 20)
    ]
    assert PLAIN_EVERY == 20


def test_plain_keeps_jobs_apart(now, capsys):
    console = Plain()
    console.progress("a", 1, 10, "")
    now(PLAIN_EVERY - 1)
    console.progress("b", 1, 10, "")
    console.progress("a", 2, 10, "")
    assert not capsys.readouterr().err
    now(PLAIN_EVERY)
    console.progress("a", 2, 10, "")
    console.progress("b", 2, 10, "")
    assert capsys.readouterr().err == "a: 20%, 2:40 left\n"


def test_plain_begins_anew_after_the_end(now, capsys):
    console = Plain()
    console.progress("a", 5, 10, "")
    console.finish("a")
    console.finish("never seen")
    now(PLAIN_EVERY + 1)
    console.progress("a", 0, 10, "")
    assert not capsys.readouterr().err
    now(2 * PLAIN_EVERY + 1)
    console.progress("a", 0, 0, "")
    assert capsys.readouterr().err == "a: 0%\n", "nothing of nothing is no fault"


def test_bars_for_a_terminal_lines_elsewhere(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert isinstance(terminal.terminal(), Plain)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(terminal.terminal(), Live)


@pytest.fixture
def live(monkeypatch) -> Iterator[tuple[Live, io.StringIO]]:
    screen = io.StringIO()
    forced = {"file": screen, "stderr": False, "force_terminal": True, "width": 120}
    monkeypatch.setattr(terminal, "RichConsole", lambda **given: RichConsole(**given | forced))
    console = Live()
    yield console, screen
    console.bars.stop()


def test_live_shows_a_bar_a_job_and_stops_with_the_last(live):
    console, screen = live
    console.progress("one [x]", 1, 4, "epoch 1 [bold]")
    console.progress("two", 2, 4, "")
    console.bars.refresh()
    for part in ("one [x]", "25%", "two", "50%"):
        assert part in screen.getvalue()
    assert "epoch 1 [bold]" in screen.getvalue()
    console.say("a line [/bold]")
    assert "a line [/bold]" in screen.getvalue()
    console.finish("one [x]")
    assert [task.description for task in console.bars.tasks] == ["two"], "the first bar goes too"
    assert console.bars.live.is_started
    console.finish("two")
    assert not console.bars.live.is_started
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 1, "the cursor is back"


def test_live_starts_again(live):
    console, _ = live
    for _ in range(2):
        console.progress("train", 1, 2, "")
        assert console.bars.live.is_started
        console.finish("train")
        assert not console.bars.tasks
