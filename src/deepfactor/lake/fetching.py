"""From a plan of questions to a lake that has the answers: what it has is not asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from deepfactor.core.errors import Unanswered
from deepfactor.lake.folder import Lake
from deepfactor.lake.pace import Clock
from deepfactor.lake.request import Answer, Ask, Fetcher, Passing

#: Answers are kept in a file of so many rows or answers, or once they have waited so long (seconds).
_ROWS, _ANSWERS, _SECONDS = 20_000, 200, 60.0
_GROUP_TRIES = 2


def _agree(answers: Sequence[Answer]) -> None:
    """Nothing to compare."""


@dataclass(frozen=True)
class Group:
    """Questions whose answers belong together, such as those of one day.

    `agree` raises `Passing` where the answers contradict each other.
    """

    asks: tuple[Ask, ...]
    agree: Callable[[Sequence[Answer]], None] = _agree


@dataclass(frozen=True)
class Stage:
    """A part of a plan; `label` is what is shown."""

    label: str
    groups: Sequence[Group]


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a vendor.

    Attributes
    ----------
    since, until : first and last day, both included; `until` is no later than today
    tables : the vendor's names
    may_be_empty : tables of which an answer without rows is taken as it is
    now : in UTC
    """

    since: date
    until: date
    tables: frozenset[str]
    now: datetime
    may_be_empty: frozenset[str] = frozenset()


class Vendor(Protocol):
    """What there is to be asked of a vendor."""

    @property
    def name(self) -> str:
        """Of the vendor, in the lake's head."""

    def stages(self, lake: Lake, wanted: Wanted) -> Iterator[Stage]:
        """What the lake lacks, in an order in which each stage may look at the answers of those before."""


class Watched(Protocol):
    """Hears how far it is; see `deepfactor.pipeline.console.Console`."""

    def progress(self, key: str, done: float, total: float, note: str) -> None:
        """State of the work `key`."""

    def finish(self, key: str) -> None:
        """It has ended."""


@dataclass
class Fetched:
    """What was fetched: calls of the vendor's = answers; rows; and answers that lack their rows."""

    answers: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    gaps: list[str] = field(default_factory=list)

    def take(self, ask: Ask, answer: Answer) -> None:
        """Count one."""
        self.answers[answer.request.api] = self.answers.get(answer.request.api, 0) + 1
        self.rows += answer.rows.height
        if answer.rows.is_empty() and ask.expected.gap:
            self.gaps.append(str(answer.request))


def fetch(lake: Lake, vendor: Vendor, fetcher: Fetcher, wanted: Wanted, clock: Clock, watched: Watched) -> Fetched:
    """Ask for what the lake lacks of `wanted`, and keep it. Whatever ends it, whole answers stay.

    Raises
    ------
    Unanswered
        the vendor doesn't answer, or contradicts itself.
    UserError
        it refuses.
    """
    fetched, kept = Fetched(), _Kept(lake, clock)
    try:
        for stage in vendor.stages(lake, wanted):
            for number, group in enumerate(stage.groups):
                watched.progress(stage.label, number, len(stage.groups), str(group.asks[-1].request)[:60])
                for ask, answer in zip(group.asks, _answers(group, fetcher), strict=True):
                    fetched.take(ask, answer)
                    kept.add(answer)
            kept.keep()
            watched.finish(stage.label)
    finally:
        kept.keep()
    return fetched


def _answers(group: Group, fetcher: Fetcher) -> list[Answer]:
    """The answers of a group, which agree."""
    said = ""
    for _ in range(_GROUP_TRIES):
        answers = [fetcher.fetch(ask) for ask in group.asks]
        try:
            group.agree(answers)
        except Passing as error:
            said = str(error)
            continue
        return answers
    raise Unanswered(f"{said}. Nothing of it was kept, the same command asks again")


class _Kept:
    """Answers that wait to be kept together."""

    def __init__(self, lake: Lake, clock: Clock) -> None:
        self._lake, self._clock = lake, clock
        self._waiting: dict[tuple[str, tuple[str, ...]], list[Answer]] = {}
        self._since = clock.seconds()

    def add(self, answer: Answer) -> None:
        mine = self._waiting.setdefault((answer.request.api, tuple(answer.rows.columns)), [])
        mine.append(answer)
        if sum(one.rows.height for one in mine) >= _ROWS or len(mine) >= _ANSWERS:
            self._lake.add(mine)
            mine.clear()
        if self._clock.seconds() - self._since > _SECONDS:
            self.keep()

    def keep(self) -> None:
        """All that wait."""
        for mine in self._waiting.values():
            if mine:
                self._lake.add(mine)
        self._waiting.clear()
        self._since = self._clock.seconds()
