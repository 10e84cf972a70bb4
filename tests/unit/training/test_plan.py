"""Folds of a plan: their spans, their names, and the messages where the market doesn't cover them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from pydantic import ValidationError

from deepfactor.core.errors import RecipeError
from deepfactor.training.arms import Arm
from deepfactor.training.plan import cut_short, folds
from deepfactor.training.spec import Fit, Plan

DAYS = np.arange("2010-01-04", "2022-12-31", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]


def span(rows: range) -> tuple[str, str]:
    return str(DAYS[rows.start]), str(DAYS[rows.stop - 1])


def test_study_b_first() -> None:
    (fold,) = folds(DAYS, Plan(first_test=2019, last_test=2019), reach=11)
    assert fold.name == "2019"
    assert span(fold.test) == ("2019-01-01", "2019-12-31")
    assert span(fold.train)[0] == "2013-01-01"
    assert str(DAYS[fold.train.stop - 1 + 11]) == "2017-12-29"  # what the last training label reads
    assert span(fold.valid)[0] == "2018-01-01"
    assert str(DAYS[fold.valid.stop - 1 + 11]) == "2018-12-31"


def test_rolling_to_the_markets_last_day() -> None:
    result = folds(DAYS, Plan(first_test=2017, test_years=2), reach=6)
    assert [f.name for f in result] == ["2017", "2019", "2021"]
    assert [span(f.test)[1] for f in result] == ["2018-12-31", "2020-12-31", "2022-12-30"]


def test_days_as_bounds() -> None:
    plan = Plan(first_test=dt.date(2016, 2, 29), last_test=dt.date(2017, 6, 30), train_years=2)
    result = folds(DAYS, plan, reach=1)
    assert [f.name for f in result] == ["2016-02-29", "2017-02-28"]
    assert [span(f.test) for f in result] == [("2016-02-29", "2017-02-27"), ("2017-02-28", "2017-06-30")]


@pytest.mark.parametrize(
    ("plan", "key", "needed"),
    [
        (Plan(first_test=2015), "plan.first_test", "2009-01-01 to 2015-12-31"),
        (Plan(first_test=2024), "plan.first_test", "2024-01-01"),
    ],
)
def test_an_uncovered_span_names_the_days(plan: Plan, key: str, needed: str) -> None:
    with pytest.raises(RecipeError, match=needed) as caught:
        folds(DAYS, plan, reach=11)
    assert caught.value.key == key
    assert "2010-01-04 to 2022-12-30" in str(caught.value)


def test_a_last_test_day_beyond_the_market_is_the_markets() -> None:
    asked, open_end = Plan(first_test=2022, last_test=2023), Plan(first_test=2022)
    assert folds(DAYS, asked, reach=11) == folds(DAYS, open_end, reach=11)
    assert cut_short(DAYS, asked) == (
        "plan.last_test: asked for 2023-12-31, the market ends on 2022-12-30, and so do the tests"
    )
    for kept in (
        open_end,
        Plan(first_test=2022, last_test=2022),
        Plan(first_test=2019, last_test=dt.date(2022, 12, 31)),
    ):
        assert cut_short(DAYS, kept) is None, "the year's last weekday may be a holiday"


def test_a_purge_that_eats_a_span() -> None:
    with pytest.raises(RecipeError, match="no validation day left"):
        folds(DAYS, Plan(first_test=2019), reach=300)
    with pytest.raises(RecipeError, match="no trading day"):
        folds(DAYS[:0], Plan(first_test=2019), reach=3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"first_test": 1066}, "first_test"),
        ({"first_test": 2020, "last_test": 2019}, "lies before"),
        ({"first_test": 2020, "train_years": 0}, "train_years"),
        ({"first_test": 2020, "every": 0}, "every"),
        ({"first_test": 2020, "lag": 1}, "lag"),
    ],
)
def test_bad_plans(content: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Plan(**content)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [{"lr": 0}, {"epochs": 0}, {"patience": 0}, {"clip": 0}, {"weight_average": 1.0}, {"seeds": ()}, {"seeds": (1, 1)}],
)
def test_bad_fits(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(content))):
        Fit(**content)  # type: ignore[arg-type]


def test_an_arms_name_can_be_a_folder() -> None:
    with pytest.raises(ValidationError, match="name"):
        Arm(name="a/b", model={"kind": "gru"})  # type: ignore[arg-type]
