"""Training and scoring apart: a day more is scored and nothing trained, a revised day is scored again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepfactor.core.kind import Kind
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.ensemble import collect
from deepfactor.training.jobs import Job, Progress, is_done, plan_jobs
from deepfactor.training.predictions import read_scores
from deepfactor.training.samples import Sampler
from deepfactor.training.spec import Fit
from deepfactor.training.work import run_job
from support.training import FOLD, PLAN, toy_training

ARMS = {
    "windows": Arm(name="a", model=Kind(kind="decomp_gru", hidden=16), scaling=Kind(kind="by_day")),
    "sequences": Arm(name="a", model=Kind(kind="gru", hidden=16), scaling=Kind(kind="by_day")),
    "ridge": Arm(name="a", weighting=Kind(kind="ridge"), scaling=Kind(kind="by_day")),
}


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return toy_training()


def of_days(data: TrainingData, days: int) -> TrainingData:
    """The first days alone, without the column of a stock that lists on the last of all."""
    cut = data.between(0, days)
    if days == len(data.dates):
        return cut
    keep = np.arange(len(data.symbols)) != 5
    return replace(
        cut,
        symbols=cut.symbols[keep],
        features=replace(cut.features, values=cut.features.values[:, keep]),
        **{name: getattr(cut, name)[:, keep] for name in ("label", "eligible", "size", "entry_ok")},
    )


@pytest.fixture(scope="module")
def late(data: TrainingData) -> TrainingData:
    """One stock lists on the last day."""
    label, eligible, size, values = (np.array(a) for a in (data.label, data.eligible, data.size, data.features.values))
    label[:, 5], eligible[:-1, 5], size[:-1, 5], values[:-1, 5] = np.nan, False, np.nan, np.nan
    eligible[-1, 5] = True
    features = replace(data.features, values=values)
    return replace(data, label=label, eligible=eligible, size=size, features=features)


def job_of(data: TrainingData, how: str) -> Job:
    fold = replace(FOLD, test=range(FOLD.test.start, len(data.dates)))
    samples = {"samples": "sequences", "steps": 3, "burn_in": 2} if how == "sequences" else {}
    fit = Fit(epochs=2, seeds=(7,), min_stocks=5, **samples)
    if how == "ridge":
        data = replace(data, window=1)
    (job,) = plan_jobs(data, [ARMS[how]], [fold], PLAN, fit, inputs={}, label={})
    return job


def run(data: TrainingData, how: str, folder: Path) -> tuple[Job, list[Progress]]:
    job, seen = job_of(data, how), list[Progress]()
    run_job(job, Sampler(replace(data, window=1) if how == "ridge" else data), folder, seen.append)
    return job, seen


@pytest.mark.slow
@pytest.mark.parametrize("how", ARMS)
def test_a_day_more_is_scored_as_ever_and_nothing_is_trained(how: str, late: TrainingData, tmp_path: Path) -> None:
    days = len(late.dates)
    first, _ = run(of_days(late, days - 1), how, tmp_path / "grown")
    weights = {p.name: p.read_bytes() for p in (tmp_path / "grown" / first.key).glob("weight*")}
    job, seen = run(late, how, tmp_path / "grown")
    assert job.key == first.key
    assert [(event.phase, event.step, event.steps) for event in seen[:-1]] == [("predict", 1, 1)]
    assert {p.name: p.read_bytes() for p in (tmp_path / "grown" / job.key).glob("weight*")} == weights
    run(late, how, tmp_path / "fresh")
    for name in ("scores.npy", "axes.json"):
        assert (tmp_path / "grown" / job.key / name).read_bytes() == (tmp_path / "fresh" / job.key / name).read_bytes()
    assert is_done(tmp_path / "grown", first), "a shorter span is held by the longer one"
    assert [event.phase for event in run(of_days(late, days - 1), how, tmp_path / "grown")[1]] == ["skip"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ARMS)
def test_a_revised_day_is_scored_again_and_all_after_it(how: str, data: TrainingData, tmp_path: Path) -> None:
    job, _ = run(data, how, tmp_path)
    values = np.array(data.features.values)
    revised = len(data.dates) - 3
    values[revised, :, 0] += 0.01 * np.arange(values.shape[1])
    changed = replace(data, features=replace(data.features, values=values))
    again, seen = run(changed, how, tmp_path)
    assert again.key == job.key
    assert [(event.phase, event.step, event.steps) for event in seen[:-1]] == [("predict", k, 3) for k in (1, 2, 3)]
    assert seen[-1].phase == "done"
    run(changed, how, tmp_path / "fresh")
    np.testing.assert_array_equal(*(read_scores(tmp_path / at / job.key)[1] for at in ("", "fresh")))


def test_a_run_sees_its_own_days_of_a_job_that_holds_more(data: TrainingData, tmp_path: Path) -> None:
    longer, _ = run(data, "ridge", tmp_path)
    shorter = job_of(of_days(data, len(data.dates)).between(0, len(data.dates) - 2), "ridge")
    assert shorter.key == longer.key
    scores = collect([shorter], tmp_path, data.dates, data.symbols)["a"].ensemble
    assert np.isfinite(scores.values[longer.fold.test.start : len(data.dates) - 2]).any(axis=1).all()
    assert not np.isfinite(scores.values[len(data.dates) - 2 :]).any()
