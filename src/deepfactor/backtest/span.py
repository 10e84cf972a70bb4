"""The days that a backtest follows: those that its scores, its index and whoever asks for it have in common."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepfactor.backtest.records import CutRecord
from deepfactor.core.arrays import Bools, Dates, Indices
from deepfactor.core.errors import DataError
from deepfactor.cross_section.plain_size import constant_rows
from deepfactor.panel.panel import rows_between
from deepfactor.panel.schedule import signal_days
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe

#: How far the sum of an index's weights may be from 1: float32 rounding of thousands of names.
ROUNDING = 1e-4


@dataclass(frozen=True)
class Cut:
    """Where a backtest begins later or ends earlier than its scores, because its index does.

    Attributes
    ----------
    side : which end
    day : first (last) day followed
    asked : first signal day (last day) of the scores within what was asked for
    why : what the index lacks beyond `day`
    """

    side: Literal["start", "end"]
    day: np.datetime64
    asked: np.datetime64
    why: Literal["members", "levels"]

    @classmethod
    def of(cls, record: CutRecord) -> Cut:
        """As it stands in ``summary.json``."""
        return cls(record["side"], np.datetime64(record["day"]), np.datetime64(record["asked"]), record["why"])

    def sentence(self, index: str) -> str:
        """For a terminal."""
        if self.side == "start":
            return f"begins on {self.day}, with the {self.why} of {index}; the scores begin on {self.asked}"
        return f"ends on {self.day}, with the {self.why} of {index}; the scores go on to {self.asked}"


@dataclass(frozen=True)
class Followed:
    """`rows` of the panel, from the first signal day on; `signals`, rows of signal days whose scores tell any two
    stocks apart; counts of the later signal days `without`; and where the index cut the span."""

    rows: range
    signals: Indices
    without: Mapping[str, int]
    cuts: tuple[Cut, ...]


def followed(
    universe: Universe,
    scores: Scores,
    eligible: Bools,
    index: str,
    *,
    schedule: str | tuple[dt.date, ...] = "week_end",
    start: np.datetime64 | str | None = None,
    end: np.datetime64 | str | None = None,
) -> Followed:
    """The days of a backtest: from the first signal day with a score to the last scored day, within `start` … `end`
    (both inclusive, None = open) and within the days on which the index has weights, and levels where it has any.

    Raises
    ------
    DataError
        nothing is left, or the index has a hole in between.
    """
    known = np.isfinite(scores.values) & eligible
    scored: Bools = np.asarray(known.any(axis=1))
    span = _scored_span(universe.dates, scored, start, end)
    ends = span.start + np.flatnonzero(signal_days(universe, schedule)[span])
    told = ends[~constant_rows(scores.values[ends], known[ends]) & scored[ends]]
    if not len(told):
        raise DataError(_no_signal(universe, scored, ends, schedule))
    asked = range(int(told[0]), span.stop)
    kept, why = index_span(universe, index, asked)
    signals = told[(told >= kept.start) & (told < kept.stop)]
    if not len(signals):
        raise DataError(
            f"{index} has members from {universe.dates[kept.start]} to {universe.dates[kept.stop - 1]} alone, "
            f"without a {_name(schedule)} that has a score: give a span in which the index has members"
        )
    rows = range(int(signals[0]), kept.stop)
    cuts: list[Cut] = []
    if rows.start > asked.start:
        cuts.append(Cut("start", universe.dates[rows.start], universe.dates[asked.start], why["start"]))
    if rows.stop < asked.stop:
        cuts.append(Cut("end", universe.dates[rows.stop - 1], universe.dates[asked.stop - 1], why["end"]))
    later = ends[(ends >= rows.start) & (ends < rows.stop)]
    unscored = int((~scored[later]).sum())
    equal = len(later) - len(signals) - unscored
    without = {"unscored_signal_days": unscored, "signal_days_of_equal_scores": equal}
    return Followed(rows, np.asarray(signals, np.intp), without, tuple(cuts))


def index_span(universe: Universe, index: str, rows: range) -> tuple[range, Mapping[str, Literal["members", "levels"]]]:
    """What of `rows` an index covers, and what bounds it at either end.

    Raises
    ------
    DataError
        it covers none, or has a hole.
    """
    weights = universe.benchmark_weights(index)[rows.start : rows.stop]
    alive = np.abs(weights.sum(axis=1, dtype=np.float64) - 1.0) < ROUNDING
    dates = universe.dates[rows.start : rows.stop]
    span = _without_holes(alive, dates, f"{index} has no members")
    bounds: dict[str, Literal["members", "levels"]] = dict.fromkeys(("start", "end"), "members")
    level = universe.index_close.get(index)
    if level is not None and np.isfinite(known := level[rows.start : rows.stop][span.start : span.stop]).any():
        levels = _without_holes(np.isfinite(known), dates[span.start : span.stop], f"{index} has no close")
        bounds |= {"start": "levels"} if levels.start else {}
        bounds |= {"end": "levels"} if levels.stop < len(span) else {}
        span = range(span.start + levels.start, span.start + levels.stop)
    return range(rows.start + span.start, rows.start + span.stop), bounds


def _without_holes(there: Bools, dates: Dates, what: str) -> range:
    """The first to the last position of `there`; a `DataError` where none is, or one in between isn't."""
    rows = np.flatnonzero(there)
    if not len(rows):
        raise DataError(f"{what} from {dates[0]} to {dates[-1]}: give a span in which it has")
    span = range(int(rows[0]), int(rows[-1]) + 1)
    gone = np.flatnonzero(~there[span.start : span.stop])
    if len(gone):
        first = dates[span.start + int(gone[0])]
        raise DataError(f"{what} on {len(gone)} of {len(span)} days from {dates[span.start]} on, the first {first}")
    return span


def _scored_span(
    dates: Dates, scored: Bools, start: np.datetime64 | str | None, end: np.datetime64 | str | None
) -> slice:
    """Rows from `start` to `end`; an open end is the last day with an eligible score: beyond it nobody steers."""
    span = rows_between(dates, start, end)
    last = int(np.flatnonzero(scored)[-1]) + 1 if end is None and scored.any() else span.stop
    return slice(span.start, max(last, span.start))


def _name(schedule: str | tuple[dt.date, ...]) -> str:
    """What a signal day is called."""
    return {"week_end": "week's end", "month_end": "month's end"}.get(str(schedule), "signal day")


def _no_signal(universe: Universe, scored: Bools, ends: Indices, schedule: str | tuple[dt.date, ...]) -> str:
    days = f"{_name(schedule)}s"
    if scored[ends].any():
        return (
            f"all eligible stocks have one and the same score on each of {int(scored[ends].sum())} {days}: "
            "nothing tells them apart, so there is nothing to choose a portfolio by"
        )
    held = universe.dates[np.flatnonzero(scored)]
    there = f"scores of eligible stocks lie from {held[0]} to {held[-1]}" if len(held) else "no eligible stock has one"
    return f"no {_name(schedule)} with a score of an eligible stock among {len(ends)} {days} of the span: {there}"
