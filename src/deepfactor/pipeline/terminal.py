"""How long work looks: live bars on a terminal, plain lines elsewhere. Both on standard error."""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console as RichConsole
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from deepfactor.pipeline.console import Clock, Console

#: Without a terminal, a line at most so often (seconds).
PLAIN_EVERY = 20.0


class Live:
    """Bars with time left, for people; `speak` puts what is said into their language."""

    def __init__(self, speak: Callable[[str], str] = str) -> None:
        self.speak = speak
        self.console = RichConsole(stderr=True, highlight=False)
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn(speak("left")),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", markup=False),
            console=self.console,
            transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        atexit.register(self.bars.stop)  # an error that ends the work leaves the terminal with its cursor

    def say(self, text: str) -> None:
        self.bars.console.print(self.speak(text), markup=False)

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        if key not in self.tasks:
            self.bars.start()
            self.tasks[key] = self.bars.add_task(self.speak(key), note="")
        self.bars.update(self.tasks[key], completed=done, total=total, note=self.speak(note))

    def finish(self, key: str) -> None:
        if key in self.tasks:
            self.bars.remove_task(self.tasks.pop(key))
        if not self.tasks:
            self.bars.stop()


@dataclass
class Plain:
    """Lines without control characters, for logs and pipes."""

    speak: Callable[[str], str] = str
    clocks: dict[str, Clock] = field(default_factory=dict)
    said: dict[str, float] = field(default_factory=dict)

    def say(self, text: str) -> None:
        print(self.speak(text), file=sys.stderr, flush=True)

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        now = time.monotonic()
        clock = self.clocks.setdefault(key, Clock(done))
        if now - self.said.setdefault(key, now) >= PLAIN_EVERY:
            self.said[key] = now
            left = clock.left(done, total)
            parts = [self.speak(f", {left} left" if left else ""), f", {self.speak(note)}" if note else ""]
            print(f"{self.speak(key)}: {done / max(total, 1e-9):.0%}{''.join(parts)}", file=sys.stderr, flush=True)

    def finish(self, key: str) -> None:
        self.clocks.pop(key, None)
        self.said.pop(key, None)


def terminal(speak: Callable[[str], str] = str) -> Console:
    """Bars where standard error is a terminal, lines where not; `speak` gives the user's language."""
    return Live(speak) if sys.stderr.isatty() else Plain(speak)
