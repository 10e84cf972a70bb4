"""A clock that a test sets: sleeping moves it on, and takes no time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class FakeClock:
    """See `deepfactor.lake.pace.Clock`."""

    time: datetime = datetime(2019, 3, 30, 12, tzinfo=UTC)
    passed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """The time in UTC."""
        return self.time + timedelta(seconds=self.passed)

    def seconds(self) -> float:
        """Seconds that have passed."""
        return self.passed

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.slept.append(seconds)
        self.passed += seconds
