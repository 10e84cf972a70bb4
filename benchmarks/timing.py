"""CPU time of competing ways to do the same work, taken in turn, so that a machine's moods hit all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Times = dict[str, list[float]]


@dataclass(frozen=True)
class Line:
    """One comparison.

    Attributes
    ----------
    job, size : what was done on how much
    ours : median CPU seconds
    other, seconds : what it is compared with, and its median
    ratio, low, high : other ÷ ours: median, least and largest over the rounds; above 1 = ours is faster
    target : what the specification wants of this ratio, if anything
    """

    job: str
    size: str
    ours: float
    other: str
    seconds: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    target: str = ""


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def interleave(ways: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: bool = True) -> Times:
    """CPU seconds of each way in each round; in a round each runs once, in the order given."""
    if warm_up:
        for work in ways.values():
            work()
    times: Times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            times[name].append(cpu(work))
    return times


def compare(job: str, size: str, ours: Sequence[float], other: str, theirs: Sequence[float], target: str = "") -> Line:
    """Our times beside another's of the same rounds."""
    ratios = [t / o for o, t in zip(ours, theirs, strict=True)]
    return Line(
        job,
        size,
        statistics.median(ours),
        other,
        statistics.median(theirs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        target,
    )


def alone(job: str, size: str, ours: Sequence[float], note: str, target: str = "") -> Line:
    """Our times with nothing beside them; `note` stands where the other would."""
    return Line(job, size, statistics.median(ours), note, target=target)
