"""Rolling folds by rows of the market, with a purge at both seams so that no label of one span reads the next span."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Dates
from deepfactor.core.errors import RecipeError
from deepfactor.core.words import Sentence
from deepfactor.panel.panel import rows_between
from deepfactor.training.spec import Plan

#: Longest stretch of calendar days without trading that a span's edge may show and still count as covered.
_HOLIDAY = dt.timedelta(days=14)
#: What a plan's last test day comes to where the market ends before it.
CUT_SHORT = Sentence(
    "plan.last_test: asked for {asked}, the market ends on {held}, and so do the tests",
    "plan.last_test：要求至{asked}，而市场数据止于{held}，测试亦止于该日",
)


@dataclass(frozen=True)
class Fold:
    """One window of the plan, as rows of the market; the spans are in order and don't overlap.

    Attributes
    ----------
    name : str
        the year of its first test day, or the day itself (ISO) where a test span doesn't start with a year.
    train, valid : range
        purged: the label of their last row reads no row of the next span.
    test : range
        every trading day that this fold predicts.
    early, late : range
        what of `train` two stages are fitted on: its last year, and the years before, purged at that seam as well.
        `early` is empty where the training span is one year.
    """

    name: str
    train: range
    valid: range
    test: range
    early: range = range(0)
    late: range = range(0)


def folds(dates: Dates, plan: Plan, reach: int) -> tuple[Fold, ...]:
    """The plan's folds over the trading days `dates` (T,); a last test day beyond them is theirs (see `cut_short`).

    Parameters
    ----------
    reach : int
        how many rows after t the label of t reads. The last training (validation) row is the last t with t + reach
        before the first row of the next span.

    Raises
    ------
    RecipeError
        the market doesn't cover a span, or the purge leaves nothing of one.
    """
    if not len(dates):
        raise RecipeError("the market holds no trading day", key="plan")
    held = (dates[0].astype(dt.date), dates[-1].astype(dt.date))
    last = min(plan.test_end or held[1], held[1])
    if held[1] < plan.test_start:
        raise RecipeError(
            f"the first test day is {plan.test_start}, the market holds {held[0]} to {held[1]}: test earlier",
            key="plan.first_test",
        )
    result = []
    start = plan.test_start
    while start <= last:
        end = min(_years_later(start, plan.test_years) - dt.timedelta(days=1), last)
        result.append(_fold(dates, plan, reach, start, end))
        start = _years_later(start, plan.test_years)
    return tuple(result)


def cut_short(dates: Dates, plan: Plan) -> str | None:
    """What to say where the market ends before the plan's last test day; None where it doesn't."""
    held, asked = dates[-1].astype(dt.date), plan.test_end
    day = dt.timedelta(days=1)
    if asked is None or np.busday_count(held + day, asked + day) < 2:  # the year may end with a holiday
        return None
    return CUT_SHORT.filled(asked=asked, held=held)


def _fold(dates: Dates, plan: Plan, reach: int, start: dt.date, end: dt.date) -> Fold:
    """The fold that predicts the calendar days `start` … `end`."""
    valid_start = _years_later(start, -plan.valid_years)
    train_start = _years_later(valid_start, -plan.train_years)
    held = (dates[0].astype(dt.date), dates[-1].astype(dt.date))
    if held[0] > train_start + _HOLIDAY:
        raise RecipeError(
            f"a fold needs trading days from {train_start} to {end}, the market holds {held[0]} to {held[1]}: "
            "change the plan or bring in more days",
            key="plan.first_test",
        )
    day = dt.timedelta(days=1)
    train, valid, test = (
        rows_between(dates, np.datetime64(first), np.datetime64(final))
        for first, final in ((train_start, valid_start - day), (valid_start, start - day), (start, end))
    )
    seam = int(np.searchsorted(dates, np.datetime64(_years_later(valid_start, -1))))
    whole_year = (start.month, start.day) == (1, 1)
    fold = Fold(
        name=str(start.year) if whole_year else start.isoformat(),
        train=range(train.start, valid.start - reach),
        valid=range(valid.start, test.start - reach),
        test=range(test.start, test.stop),
        early=range(train.start, max(seam - reach, train.start)),
        late=range(seam, max(valid.start - reach, seam)),
    )
    for name, span in (("training", fold.train), ("validation", fold.valid), ("test", fold.test)):
        if not len(span):
            raise RecipeError(
                f"fold {fold.name} has no {name} day left: spans of {plan.train_years}, {plan.valid_years} and "
                f"{plan.test_years} years, less the {reach} days that a label reads ahead; take longer spans",
                key="plan",
            )
    return fold


def _years_later(day: dt.date, years: int) -> dt.date:
    """The same calendar day `years` later; 29 February becomes 28 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
