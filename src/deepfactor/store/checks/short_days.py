"""Days on which far fewer names trade than on the days around: deliveries that are shorter than they should be.

A halted stock comes back when it may; names that a delivery lacks come back all at once, on the day of the next whole
one, or never. In A-shares of 2010 to 2022 at most 6 % of the names were gone for one day (a day of shareholders'
meetings); of those of July 2015 a quarter halted on one day, and came back over months.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from deepfactor.core.arrays import AnyArray
from deepfactor.core.words import Sentence, Text
from deepfactor.store.checks.finding import Finding
from deepfactor.store.checks.grid import Grid

#: Share of the names of the day before, and how many, that must lack for a day to be short; of the last day more: it
#: has no day after it that would tell a halt from a gap.
_GAP, _LAST, _SOME = 0.10, 0.15, 3
#: Share of a board that must lack, where the market doesn't.
_BOARD = 0.5
#: Share of those that lack which come back on one and the same day, or never.
_TOGETHER = 2 / 3
#: Share of a day's names, and how many, that begin together after the first day.
_BEGIN, _BEGINNERS = 1 / 3, 5
_SHORT = Sentence(
    "days without many of the names that trade on the days around: are the files whole?",
    "有的日子缺少前后各日都有交易的许多股票，请核对文件是否完整",
)
_SHORT_LAST = Sentence(
    "on the last day, {day}, {there} of {n} names that traded the day before have a row with a trade: are the files "
    "whole?",
    "最后一天{day}，前一交易日有交易的{n}只股票中仅{there}只有成交记录，请核对文件是否完整",
)
_SHORT_LAST_OF_BOARD = Sentence(
    "on the last day, {day}, of {board} {there} of {n} names that traded the day before have a row with a trade: are "
    "the files whole?",
    "最后一天{day}，前一交易日有交易的{n}只股票（{board}）中仅{there}只有成交记录，请核对文件是否完整",
)
_LATE = Sentence(
    "days after the first on which many names have their first trade at once: are the files whole?",
    "首日之后有许多股票同时首次成交，请核对文件是否完整",
)


@dataclass(frozen=True)
class _Part:
    """The market (`board` is empty) or a board; of each day but the first, how many names traded the day before and
    how many of them don't (T − 1,); the share that must lack on a day in between (`least`) and on the `last` one."""

    board: str
    names: AnyArray
    total: AnyArray
    lacking: AnyArray
    least: float
    last: float

    def short(self, share: float) -> AnyArray:
        """(T − 1,) days that lack so many."""
        return (self.lacking >= _SOME) & (self.lacking >= share * self.total)

    def text(self, day: int) -> str:
        """What day number `day` has."""
        k = day - 1
        there = self.total[k] - self.lacking[k]
        return f"{there} of {self.total[k]} names that traded the day before have a row with a trade"

    def last_day(self, day: object) -> Text:
        """What the last day, `day`, has."""
        counts = {"there": self.total[-1] - self.lacking[-1], "n": self.total[-1], "day": day}
        form = _SHORT_LAST_OF_BOARD if self.board else _SHORT_LAST
        return form.filled(board=self.board, **counts)


def check_short_days(grid: Grid, since: date | None = None) -> list[Finding]:
    """Warnings of days without many of the names that traded the day before. Days before `since` are context, but for
    the last of them: it had no day after it till now."""
    first = 1 if since is None else max(int(np.searchsorted(grid.days, np.datetime64(since))) - 1, 1)
    if len(grid.days) < 2:
        return []
    parts = _parts(grid)
    gaps: dict[int, str] = {}
    for part in parts:
        for day in (np.flatnonzero(part.short(part.least)[first - 1 : -1]) + first).tolist():
            if day not in gaps and (text := _gap(grid, part, day)):
                gaps[day] = text
    out = []
    if gaps:
        examples = tuple(gaps[day] for day in sorted(gaps)[:5])
        out.append(Finding("warning", "short_days", "daily", "date", len(gaps), _SHORT, None, examples))
    return [*out, *_last_day(grid, parts), *(_beginners(grid) if since is None else [])]


def _parts(grid: Grid) -> list[_Part]:
    """The market, and where it has several its boards."""
    total, lacking = grid.by_board(grid.traded[:-1]), grid.by_board(grid.traded[:-1] & ~grid.traded[1:])
    everyone = np.ones(len(grid.symbols), np.bool_)
    market = _Part("", everyone, total.sum(axis=1), lacking.sum(axis=1), _GAP, _LAST)
    boards = [
        _Part(name, names, total[:, k], lacking[:, k], _BOARD, _BOARD)
        for k, (name, names) in enumerate(grid.boards.items())
    ]
    return [market, *(boards if len(boards) > 1 else [])]


def _gap(grid: Grid, part: _Part, day: int) -> str:
    """What a day before the last lacks, if those names come back together or never; empty = a halt of many."""
    lacking = grid.traded[day - 1] & ~grid.traded[day] & part.names
    later = grid.traded[day + 1 :, lacking]
    again = np.where(later.any(axis=0), later.argmax(axis=0), -1)
    days, counts = np.unique(again, return_counts=True)
    most = int(counts.argmax())
    if counts[most] < _TOGETHER * lacking.sum():
        return ""
    back = "trade no more" if days[most] < 0 else f"are back on {grid.days[day + 1 + int(days[most])]}"
    of = f" of {part.board}" if part.board else ""
    return f"{grid.days[day]}{of}: {part.text(day)}; {counts[most]} of the others {back}"


def _last_day(grid: Grid, parts: list[_Part]) -> list[Finding]:
    for part in parts:
        if part.short(part.last)[-1]:
            lacking = grid.traded[-2] & ~grid.traded[-1] & part.names
            message = part.last_day(grid.days[-1])
            examples = tuple(f"{symbol} has none" for symbol in grid.symbols.to_numpy()[lacking][:5])
            return [
                Finding("warning", "short_last_day", "daily", "symbol", int(lacking.sum()), message, None, examples)
            ]
    return []


def _beginners(grid: Grid) -> list[Finding]:
    """Days after the first on which a large part of the names have their first trade."""
    seen, begins = grid.traded[0].copy(), np.zeros(len(grid.days), np.intp)
    for day, traded in enumerate(grid.traded):
        begins[day] = np.count_nonzero(traded > seen)
        seen |= traded
    names = np.count_nonzero(grid.traded, axis=1)
    days = np.flatnonzero((begins >= _BEGINNERS) & (begins >= _BEGIN * names))
    if not len(days):
        return []
    examples = tuple(f"{grid.days[day]}: {begins[day]} of {names[day]} names" for day in days[:5])
    return [Finding("warning", "late_start", "daily", "date", len(days), _LATE, None, examples)]
