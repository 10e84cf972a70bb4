"""`Live`: a vendor asked over the network, at its pace, page by page; again where that may help, else a clear stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import polars as pl
import tenacity

from deepfactor.core.errors import Unanswered
from deepfactor.lake.checks import Late, require_believable, require_columns, too_late
from deepfactor.lake.pace import Clock, Pace
from deepfactor.lake.request import Answer, Ask, Page, Passing, Request

#: How often a page is asked for, and a whole answer that can't be believed.
PAGE_TRIES, ANSWER_TRIES = 6, 3
_FIRST_WAIT, _LONGEST_WAIT, _MOST_PAGES = 1.0, 60.0, 2000
_T = TypeVar("_T")


class Wire(Protocol):
    """A vendor's way of asking for one page."""

    def page(self, request: Request, number: int, first: int) -> Page:
        """The page `number` (from 1), whose first row is `first` (from 0) of the answer.

        Raises
        ------
        Passing
            it may work when asked again.
        UserError
            it won't.
        """

    def rows_a_page(self, request: Request) -> int | None:
        """How many rows a full page has, all in one = 0; None = not known: asked on until nothing comes."""


@dataclass(frozen=True)
class Live:
    """Asks a vendor; see `deepfactor.lake.request.Fetcher`. `tell` hears of what is tried again."""

    wire: Wire
    pace: Pace
    clock: Clock
    tell: Callable[[str], None] = lambda _: None

    def fetch(self, ask: Ask) -> Answer:
        """The whole answer; see `Fetcher.fetch`."""
        try:
            return self._tried(ANSWER_TRIES, lambda: self._answer(ask))
        except Late:
            raise too_late(ask) from None

    def _answer(self, ask: Ask) -> Answer:
        fetched_at = self.clock.now()
        columns, rows = self._pages(ask)
        frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
        require_believable(ask, frame)
        return Answer(ask.request, frame, fetched_at)

    def _pages(self, ask: Ask) -> tuple[tuple[str, ...], list[list[str | None]]]:
        """All pages: on while the vendor says so, else while they are full, else until one is empty."""
        full, rows, before = self.wire.rows_a_page(ask.request), list[list[str | None]](), None
        for number in range(1, _MOST_PAGES + 1):
            page = self._page(ask, number, len(rows))
            if before is not None and page.rows and page.columns != before.columns:
                raise Passing(f"{ask.request}: page {number} has other columns than the one before")
            if before is not None and page.rows and page.rows == before.rows:
                raise Passing(f"{ask.request}: page {number} is the one before again")
            rows += page.rows
            on = page.more or full is None or (full > 0 and len(page.rows) >= full)  # "no more" alone says nothing
            if on and page.more and not page.rows:
                raise Passing(f"{ask.request}: page {number} is empty, and the vendor says that there is more")
            if not on or not page.rows:
                return (before or page).columns, rows
            before = page
        raise Passing(f"{ask.request}: more than {_MOST_PAGES} pages")

    def _page(self, ask: Ask, number: int, first: int) -> Page:
        def once() -> Page:
            self.pace.wait(ask.request.api)
            page = self.wire.page(ask.request, number, first)
            if page.rows or page.columns:
                require_columns(ask, page.columns)
            elif not (ask.expected.empty or ask.expected.gap) and number == 1:
                raise Late(f"{ask.request}: neither rows nor columns")
            return page if page.columns else Page(ask.expected.columns, [], page.more)

        return self._tried(PAGE_TRIES, once, but=Late)

    def _tried(self, times: int, once: Callable[[], _T], but: type[Passing] | tuple[()] = ()) -> _T:
        """What `once` gives, tried again while what it raises is passing, `but` not where it is of that kind."""
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(times),
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, Passing) and not isinstance(error, but)),
            wait=_wait,
            sleep=self.clock.sleep,
            before_sleep=lambda state: self.tell(f"asked again: {_said(state)}"),
            reraise=True,
        )
        try:
            return again(once)
        except Late:
            raise
        except Passing as error:
            raise _Given(f"{error}") from None


class _Given(Unanswered):
    """Tried as often as is of use."""

    def __init__(self, said: str) -> None:
        super().__init__(f"{said}. What was fetched is kept, the same command goes on")


def _said(state: tenacity.RetryCallState) -> str:
    return str(state.outcome.exception()) if state.outcome else ""


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: as the vendor wants it, else twice as long each time, up to a quarter by chance."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Passing) and error.wait is not None:
        return error.wait
    longer = tenacity.wait_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)(state)
    return float(longer) * (1 + float(tenacity.wait_random(0, 0.25)(state)))
