"""Drawdown episodes of a curve: from a peak to the trough and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Dates, Float64
from deepfactor.evaluation.performance import drawdowns


@dataclass(frozen=True)
class Episode:
    """A drawdown: last peak before it, trough, first day back at the peak (NaT = not by the end); `depth` < 0."""

    start: np.datetime64
    trough: np.datetime64
    recovery: np.datetime64
    depth: float


def episodes(ratio: Float64, dates: Dates, count: int) -> list[Episode]:
    """The `count` deepest drawdowns of a curve (D,), deepest first; none overlap, since each ends at a new peak."""
    falls = drawdowns(ratio)
    under = np.concatenate(([False], falls < 0, [False]))
    first, past = np.flatnonzero(under[1:] & ~under[:-1]), np.flatnonzero(under[:-1] & ~under[1:])
    episodes = []
    for begin, end in zip(first.tolist(), past.tolist(), strict=True):
        trough = begin + int(np.argmin(falls[begin:end]))
        recovery = dates[end] if end < len(dates) else np.datetime64("NaT", "D")
        episodes.append(Episode(dates[begin - 1], dates[trough], recovery, float(falls[trough])))
    return sorted(episodes, key=lambda episode: episode.depth)[:count]


def deepest_episode(ratio: Float64, dates: Dates) -> Episode | None:
    """The deepest drawdown of a curve (D,); None where it never falls."""
    return next(iter(episodes(ratio, dates, 1)), None)


def days_between(episode: Episode, dates: Dates) -> tuple[int, int | None]:
    """Trading days from the peak to the trough, and from there to the recovery (None = not yet)."""
    start, trough = (int(np.searchsorted(dates, day)) for day in (episode.start, episode.trough))
    up = None if np.isnat(episode.recovery) else int(np.searchsorted(dates, episode.recovery)) - trough
    return trough - start, up
