"""A market's ledger of trials: what was tested on its days, and when. It only grows.

::

    MARKET/trials.jsonl   a line a trial; the same test again is no new trial

A trial's key is of what was tested: the scores' own numbers, the span, the settings. Market data are no part of it, so
a revised price makes no new trial of an old test.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

from deepfactor.core import journal

LOG = "trials.jsonl"
Kind = Literal["enhanced", "top"]


class Trial(TypedDict):
    """A line of ``trials.jsonl``.

    `kind`: an index-enhanced portfolio, or a top group. `place`: its index or universe. `setting`: constraints, or the
    group. `sharpe` a day of the daily excess, with its `skew`, `kurtosis` and number of `days`; `excess` a year.
    """

    key: str
    kind: Kind
    factor: str
    place: str
    setting: str
    start: str
    end: str
    sharpe: float
    skew: float
    kurtosis: float
    days: int
    excess: float | None
    at: str


class Deflated(TypedDict):
    """An entry of ``trials.json``: a result among the trials of its kind, place and span. Ratios a year; `best` is what
    the best of as many tries without skill is expected to have, `deflated` the probability that the ratio is above zero
    in spite of that. None = not defined."""

    key: str
    kind: Kind
    factor: str
    place: str
    setting: str
    trials: int
    sharpe: float
    best: float
    deflated: float | None


def note_trials(market: Path, trials: Sequence[Trial]) -> list[str]:
    """Add to a market's ledger what isn't there yet; keys of the new ones.

    Raises
    ------
    OSError
        the ledger can't be written.
    """
    return journal.append_new(market / LOG, "key", {one["key"]: one for one in trials})


def read_trials(market: Path) -> tuple[list[Trial], int]:
    """A market's trials, oldest first, each once; and how many lines can't be read."""
    read = journal.read(market / LOG)
    known = [one for one in read.records if Trial.__annotations__.keys() <= one.keys()]
    found = {one["key"]: Trial(**one) for one in known}  # type: ignore[typeddict-item]
    return list(found.values()), len(read.unreadable) + len(read.records) - len(known)
