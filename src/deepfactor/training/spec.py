"""What a recipe says about training: the rolling plan and the fit."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from deepfactor.core.days import FIRST_YEAR, LAST_YEAR, Day
from deepfactor.core.spec import Spec

Year = Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)]
Years = Annotated[int, Field(ge=1, le=50)]


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("the same seed twice would train the same network twice: give different seeds")
    return seeds


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, max_length=100), AfterValidator(_different)
]


class Plan(Spec):
    """Rolling windows: train, then validate, then predict, each span following the other; one fold a test span.

    A year as `first_test` is its 1 January, as `last_test` its 31 December; no `last_test` is the market's last day.
    """

    first_test: Year | Day = Field(description="first day (or year) that is predicted")
    last_test: Year | Day | None = Field(default=None, description="last day (or year) that is predicted")
    train_years: Years = Field(default=5, description="length of the training span")
    valid_years: Years = Field(default=1, description="length of the validation span, for early stopping")
    test_years: Years = Field(default=1, description="length of a test span: train anew so often")
    every: int = Field(
        default=1, ge=1, le=250, description="an epoch takes every n-th training day; the offset rotates"
    )
    valid_every: int = Field(default=1, ge=1, le=250, description="validate on every n-th validation day")

    @property
    def test_start(self) -> dt.date:
        """First calendar day of the first test span."""
        return self.first_test if isinstance(self.first_test, dt.date) else dt.date(self.first_test, 1, 1)

    @property
    def test_end(self) -> dt.date | None:
        """Last calendar day of the last test span; None = the market's last day."""
        return dt.date(self.last_test, 12, 31) if isinstance(self.last_test, int) else self.last_test

    @model_validator(mode="after")
    def _ordered(self) -> Plan:
        if self.test_end is not None and self.test_end < self.test_start:
            raise ValueError(f"last_test {self.last_test} lies before first_test {self.first_test}")
        return self


class Fit(Spec):
    """How one network is fitted: Adam, clipped gradients, early stopping on the validation RankIC."""

    lr: float = Field(default=1e-3, gt=0, le=1, description="Adam's learning rate")
    epochs: int = Field(default=50, ge=1, le=10_000, description="at most so many epochs")
    patience: int = Field(
        default=15, ge=1, le=10_000, description="stop after so many epochs without a better validation RankIC"
    )
    clip: float = Field(default=3.0, gt=0, description="the gradient's norm is clipped here")
    weight_average: float | None = Field(
        default=None, gt=0, lt=1, description="rate a step of an exponential average of the weights, which then scores"
    )
    samples: Literal["windows", "sequences"] = Field(
        default="windows",
        description="what a network is trained on: a day's windows, or long sequences with a label at every patch",
    )
    steps: int = Field(default=20, ge=1, description="patches of a sequence that have labels (sequences only)")
    burn_in: int = Field(default=30, ge=0, description="patches of a sequence before these (sequences only)")
    updates: int | None = Field(
        default=None, ge=1, description="gradient steps an epoch (sequences only); none = each training day once"
    )
    seeds: Seeds = Field(default=(0, 42, 3407), description="a network is trained with each; their scores are averaged")
    min_stocks: int = Field(default=30, ge=2, le=10_000, description="days with fewer labelled stocks are left out")
    days_per_step: int = Field(
        default=1, ge=1, le=250, description="a step averages loss and gradient over so many days"
    )
