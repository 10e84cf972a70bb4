"""Where a verb says what it is doing. The command line shows it; a program passes nothing and hears nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Console(Protocol):
    """Takes lines and the state of long work."""

    def say(self, text: str) -> None:
        """A line worth keeping."""

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        """State of the work named `key`: `done` of `total` units; `note` = what is known so far."""

    def finish(self, key: str) -> None:
        """The work named `key` has ended."""


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None: ...

    def progress(self, key: str, done: float, total: float, note: str) -> None: ...

    def finish(self, key: str) -> None: ...


class Logged:
    """Passes everything on and keeps the lines in a file."""

    def __init__(self, inner: Console, path: Path) -> None:
        self.inner, self.path = inner, path

    def say(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        self.inner.say(text)

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        self.inner.progress(key, done, total, note)

    def finish(self, key: str) -> None:
        self.inner.finish(key)


@contextmanager
def step(console: Console, text: str) -> Iterator[None]:
    """Say `text` with the seconds that the block took."""
    start = time.perf_counter()
    yield
    console.say(f"{text} ({time.perf_counter() - start:.1f} s)")


class Clock:
    """Time left by the share of work done since it began: `done` is what lay behind then, as in a job that goes on."""

    def __init__(self, done: float = 0.0) -> None:
        self.start, self.begun = time.monotonic(), done

    def left(self, done: float, total: float) -> str:
        """Like ``3:20``; empty before anything is done."""
        if done <= self.begun:
            return ""
        seconds = int((time.monotonic() - self.start) * (total - done) / (done - self.begun))
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"
