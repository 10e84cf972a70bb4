"""How fast a vendor may be asked."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

_MINUTE = 60.0


class Clock(Protocol):
    """Time, of the machine or of a test."""

    def now(self) -> datetime:
        """The time in UTC."""

    def seconds(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class MachineClock:
    """The machine's."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass
class Pace:
    """At most so many calls in any 60 seconds: of all together, and of single calls that have a limit of their own."""

    clock: Clock
    a_minute: int
    of_calls: dict[str, int] = field(default_factory=dict)
    _times: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, call: str) -> None:
        """Wait until one more of this call is allowed, and count it."""
        for name, limit in (("", self.a_minute), (call, self.of_calls.get(call, self.a_minute))):
            times = self._times.setdefault(name, deque())
            while times and times[0] <= self.clock.seconds() - _MINUTE:
                times.popleft()
            if len(times) >= limit:
                self.clock.sleep(max(times[len(times) - limit] + _MINUTE - self.clock.seconds(), 0.0))
        for name in ("", call):
            self._times.setdefault(name, deque()).append(self.clock.seconds())

    def slower(self, call: str, limit: int) -> None:
        """The vendor has said that a call is allowed so many times a minute."""
        self.of_calls[call] = max(1, min(limit, self.of_calls.get(call, self.a_minute)))
