"""What a run will cost: measured steps, and arithmetic that adds up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.errors import UserError
from deepfactor.training.engine import run_jobs
from deepfactor.training.estimate import (
    DayCost,
    _around_a_median_day,
    _disk,
    _makespan,
    _read,
    _seconds,
    _statistics_once,
    estimate,
)
from deepfactor.training.jobs import is_done
from deepfactor.training.spec import Fit, Plan
from support.training import FOLD, TINY, stored, toy_jobs, toy_training, with_day_features

COST = DayCost(stocks=24, step=2.0, score=0.5, statistics=0.25, parameters=100, peak=0)


@pytest.mark.parametrize(
    ("seconds", "workers", "wall"),
    [([], 1, 0.0), ([3, 1, 2], 1, 6.0), ([3, 1, 2], 2, 3.0), ([1, 1, 5], 2, 6.0), ([2, 2], 5, 2.0)],
)
def test_workers_take_the_next_job_when_they_are_free(seconds: list[float], workers: int, wall: float) -> None:
    assert _makespan(seconds, workers) == wall


def test_a_jobs_seconds_add_up(tmp_path: Path) -> None:
    data = toy_training()
    data = replace(data, eligible=np.ones_like(data.eligible))
    fit = Fit(epochs=3, seeds=(0,))
    job = toy_jobs(data, fit=fit, plan=Plan(first_test=2019, every=5, valid_every=3))[0]
    train, valid, test = len(FOLD.train), len(FOLD.valid), len(FOLD.test)
    wanted = 3 * (2.0 * train / 5 + 0.5 * valid / 3) + 0.5 * test
    assert _seconds(job, COST, data, tmp_path) == pytest.approx(wanted)
    assert _seconds(job, replace(COST, stocks=48), data, tmp_path) == pytest.approx(wanted / 2)
    assert _disk(job, COST, data) == 4 * (5 * 100 + test * 24)


def test_a_days_statistics_are_paid_once() -> None:
    data = toy_training()
    jobs = toy_jobs(data, TINY, TINY)
    days = len(FOLD.train) + len(FOLD.valid) + len(FOLD.test)
    assert _statistics_once(jobs, {"arm0": COST, "arm1": COST}, Path("a")) == 0.25 * days
    apart = {"arm0": Path("a"), "arm1": Path("b")}  # labels of their own
    assert _statistics_once(jobs, {"arm0": COST, "arm1": COST}, apart) == 2 * 0.25 * days


def test_what_is_read_beside_windows_counts() -> None:
    data = with_day_features(toy_training())
    (job, *_) = toy_jobs(data)
    rows = FOLD.test.stop - FOLD.train.start
    assert _read(data, job) == rows * 24 * (6 * 4 + 4)
    assert _read(toy_training(), job) == rows * 24 * 6 * 4


def test_the_measured_day_has_its_window_and_the_median_of_labels() -> None:
    data = toy_training()
    job = toy_jobs(data)[0]
    t, cut = _around_a_median_day(data, job, 4)
    assert t == len(cut.dates) - 1 == data.window - 1 + 4
    labelled = sorted(len(data.labelled(row, data.stocks(row))) for row in FOLD.train)
    assert len(cut.labelled(t, cut.stocks(t))) == labelled[len(labelled) // 2]


@pytest.mark.slow
def test_what_is_done_costs_nothing_and_measuring_leaves_nothing(tmp_path: Path) -> None:
    data = toy_training()
    jobs = toy_jobs(data, fit=Fit(epochs=1, seeds=(0, 42), min_stocks=5))
    folder = stored(data, tmp_path)
    run_jobs(jobs[:1], folder, tmp_path, workers=0)
    before = sorted(tmp_path.rglob("*"))
    found = estimate(jobs, folder, tmp_path, workers=4)
    assert sorted(tmp_path.rglob("*")) == before
    assert list(found.arms) == ["arm0"]
    assert found.workers == 1
    assert found.arms["arm0"].step > 0
    assert found.cpu_seconds == pytest.approx(found.wall_seconds)
    assert found.cpu_seconds > 0
    assert found.memory > 50 * 2**20
    run_jobs(jobs, folder, tmp_path, workers=0)
    assert all(is_done(tmp_path, job) for job in jobs)
    nothing = estimate(jobs, folder, tmp_path, workers=4)
    assert (nothing.arms, nothing.cpu_seconds, nothing.wall_seconds, nothing.disk) == ({}, 0, 0, 0)


def test_what_a_job_would_say_is_said(tmp_path: Path) -> None:
    data = toy_training()
    jobs = toy_jobs(data)
    with pytest.raises(UserError, match="unknown device"):
        estimate(jobs, stored(data, tmp_path), tmp_path, workers=1, device="tpu5")
