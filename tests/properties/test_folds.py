"""Folds of any plan on any calendar: in order, without overlap, and no label of a span reads the next one."""

from __future__ import annotations

import datetime as dt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfactor.core.errors import RecipeError
from deepfactor.training.plan import Fold, folds
from deepfactor.training.spec import Plan


@st.composite
def calendars(draw: st.DrawFn) -> np.ndarray:
    """Ten years of weekdays with random holidays."""
    start = np.datetime64("2005-01-01") + draw(st.integers(0, 700))
    days = np.arange(start, start + 365 * 10)
    days = days[np.is_busday(days)]
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    return days[rng.random(len(days)) > draw(st.sampled_from([0.0, 0.05, 0.4]))]


plans = st.builds(
    Plan,
    first_test=st.one_of(st.integers(2007, 2016), st.dates(dt.date(2007, 1, 1), dt.date(2016, 1, 1))),
    train_years=st.integers(1, 4),
    valid_years=st.integers(1, 2),
    test_years=st.integers(1, 3),
)


@settings(max_examples=200, deadline=None)
@given(calendars(), plans, st.integers(0, 40))
def test_folds_keep_their_gap(dates: np.ndarray, plan: Plan, reach: int) -> None:
    try:
        result = folds(dates, plan, reach)
    except RecipeError:
        return  # this market doesn't cover that plan
    for fold in result:
        _check(fold, dates, reach)
    tested = np.concatenate([np.array(fold.test) for fold in result])
    first = int(np.searchsorted(dates, np.datetime64(plan.test_start)))
    np.testing.assert_array_equal(tested, np.arange(first, len(dates)))  # every day of the tests once, in order
    years = plan.train_years + plan.valid_years
    for fold in result:
        length = (dates[fold.test.start] - dates[fold.train.start]).astype(int) / 365.25
        assert abs(length - years) < 0.2
        year = (dates[fold.valid.start] - dates[fold.late.start]).astype(int) / 365.25
        assert abs(year - 1) < 0.2
        assert fold.late.stop == max(fold.train.stop, fold.late.start)
        assert fold.early.start == fold.train.start
        assert len(fold.early) == max(fold.late.start - reach - fold.train.start, 0), "purged, and no more than that"


def _check(fold: Fold, dates: np.ndarray, reach: int) -> None:
    for span in (fold.train, fold.valid, fold.test):
        assert len(span) > 0
        assert 0 <= span.start < span.stop <= len(dates)
    assert fold.train.stop - 1 + reach < fold.valid.start
    assert fold.valid.stop - 1 + reach < fold.test.start
    # the purge takes no more than it must: one row further reads the next span
    assert fold.train.stop + reach == fold.valid.start
    assert fold.valid.stop + reach == fold.test.start
