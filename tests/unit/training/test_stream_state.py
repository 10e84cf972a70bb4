"""A stream's state on disk: it goes on bit for bit as one that never stopped, whoever comes; or it begins anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfactor.core.checksums import read_checksums
from deepfactor.core.errors import Interrupted
from deepfactor.core.kind import Kind
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.finished import STREAM, damage_of
from deepfactor.training.jobs import Job, Progress, is_done, plan_jobs
from deepfactor.training.predictions import read_scores
from deepfactor.training.samples import Sampler
from deepfactor.training.sequences import Stream
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.stream_state import save_stream, take_up
from deepfactor.training.work import run_job, scorer_of
from support.training import FOLD, toy_training, with_day_features

KINDS = ("gru", "decomp_gru", "decomp_gru:before_scaling", "cross_gru", "late_fusion_gru")
FIT = Fit(epochs=1, seeds=(7,), min_stocks=5, samples="sequences", steps=3, burn_in=2)
LAST, LEAVES, LATE, END = 61, 63, 64, 70
"""Rows: the first job's last day; the day from which a stock has left; the day on which two are first scored; all."""


@pytest.fixture(scope="module")
def whole() -> TrainingData:
    data = with_day_features(toy_training(days=END))
    late, leaves = data.stocks(50)[[3, 8]], data.stocks(50)[5]
    eligible, values = data.eligible.copy(), data.features.values.copy()
    eligible[:LATE, late], eligible[LATE:, late] = False, True
    values[: LATE - 9, late] = np.nan
    values[LATE:, late] = np.nan_to_num(values[LATE:, late], nan=2.0)
    eligible[LEAVES:, leaves] = False
    values[LEAVES:, leaves] = np.nan
    return replace(data, eligible=eligible, features=replace(data.features, values=values))


def until(data: TrainingData, last: int) -> TrainingData:
    return data.between(0, last + 1)


def job_of(data: TrainingData, kind: str) -> Job:
    name, _, split = kind.partition(":")
    model = Kind(kind=name, hidden=32, **({"split": split} if split else {}))
    fold = replace(FOLD, test=range(FOLD.test.start, len(data.dates)))
    arm = Arm(name="arm", model=model, scaling="by_day")
    stored = {"arm": data.inputs} if name == "late_fusion_gru" else None
    (job,) = plan_jobs(data, [arm], [fold], Plan(first_test=2019), FIT, inputs={}, label={}, stored=stored)
    return job


def run(data: TrainingData, kind: str, folder: Path, report: Callable[[Progress], None] = lambda event: None) -> Path:
    """The job's folder."""
    job = job_of(data, kind)
    run_job(job, Sampler(data), folder, report)
    assert is_done(folder, job)
    return folder / job.key


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def first(kind: str, whole: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job's folder after its first days."""
    return run(until(whole, LAST), kind, tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def fresh(kind: str, whole: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Scores (days, N) by a job that has all days at once."""
    return scores_in(run(whole, kind, tmp_path_factory.mktemp("fresh")), whole)


def scores_in(folder: Path, data: TrainingData) -> np.ndarray:
    axes, scores = read_scores(folder)
    out = np.full((len(scores), len(data.symbols)), np.nan, np.float32)
    out[:, np.searchsorted(data.symbols, axes["symbols"])] = scores
    return out


def copied(first: Path, folder: Path) -> Path:
    """A job store with the finished job."""
    shutil.copytree(first, folder / first.name)
    return folder


@pytest.fixture
def patches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many stocks take in a patch, one entry a patch."""
    seen: list[int] = []
    advance = Stream._advance

    def counted(self: Stream, day: int) -> torch.Tensor:
        seen.append(len(self.columns))
        return advance(self, day)

    monkeypatch.setattr(Stream, "_advance", counted)
    return seen


@pytest.mark.slow
def test_evening_by_evening_to_the_same_scores(kind, first: Path, fresh, whole, tmp_path: Path, patches) -> None:
    """One patch a stock an evening; on the day that two come, theirs of the days before."""
    jobs = copied(first, tmp_path)
    for t in range(LAST + 1, END):
        patches.clear()
        folder = run(until(whole, t), kind, jobs)
        if t == LATE:
            *before, now = patches
            assert set(before) == {64}, "two, over and over"
            assert len(before) == len(range(FOLD.test.start - whole.window + 3, LATE)), "ends of patches"
            assert now == len(whole.symbols)
        else:
            assert len(patches) == 1
        assert np.array_equal(scores_in(folder, whole), fresh[: t + 1 - FOLD.test.start], equal_nan=True), t


def test_several_days_at_once(kind, first: Path, fresh, whole, tmp_path: Path, patches) -> None:
    folder = run(whole, kind, copied(first, tmp_path))
    assert np.array_equal(scores_in(folder, whole), fresh, equal_nan=True)
    assert sum(count < 64 for count in patches) == END - 1 - LAST


def test_killed_on_an_evening(kind, first: Path, fresh, whole, tmp_path: Path, patches) -> None:
    """Before the scores are written and after; the state of the evening before is whole."""

    def stop(event: Progress) -> None:
        raise Interrupted("stopped by the test")

    jobs = copied(first, tmp_path)
    before = (jobs / first.name / STREAM).read_bytes()
    with pytest.raises(Interrupted):
        run(until(whole, LAST + 1), kind, jobs, stop)
    assert (jobs / first.name / STREAM).read_bytes() == before
    folder = run(until(whole, LAST + 1), kind, jobs)
    after = (folder / STREAM).read_bytes()
    for state in (before, None):  # as if killed behind the scores
        (folder / "done").unlink()
        (folder / STREAM).unlink()
        if state is not None:
            (folder / STREAM).write_bytes(state)
        run(until(whole, LAST + 1), kind, jobs)
        assert (folder / STREAM).read_bytes() == after
    (folder / STREAM).write_bytes(before)
    (folder / "done").unlink()
    patches.clear()
    run(until(whole, LAST + 2), kind, jobs)
    assert len(patches) == 2, "catches up"
    assert np.array_equal(scores_in(folder, whole), fresh[: LAST + 3 - FOLD.test.start], equal_nan=True)


def test_the_order_of_the_market_may_change(kind, first: Path, fresh, whole, tmp_path: Path, patches) -> None:
    """A company that is listed later stands before the others."""

    def wider(array: np.ndarray, fill: object) -> np.ndarray:
        return np.concatenate([np.full((len(array), 1, *array.shape[2:]), fill, array.dtype), array], axis=1)

    fills = {"label": np.nan, "eligible": False, "size": np.nan, "entry_ok": False}
    arrays = {name: wider(getattr(whole, name), fill) for name, fill in fills.items()}
    features = replace(whole.features, values=wider(whole.features.values, np.nan))
    held = whole.inputs.held["day_features"]
    inputs = replace(whole.inputs, held={"day_features": replace(held, values=wider(held.values, 0))})
    symbols = np.concatenate([["000001.SZ"], whole.symbols])
    data = replace(whole, symbols=symbols, features=features, inputs=inputs, **arrays)
    folder = run(data, kind, copied(first, tmp_path))
    assert np.array_equal(scores_in(folder, data)[:, 1:], fresh, equal_nan=True)
    assert sum(count < 64 for count in patches) == END - 1 - LAST


def test_a_revised_day_begins_anew(kind, first: Path, whole, tmp_path: Path, patches) -> None:
    values = whole.features.values.copy()
    values[LAST - 2, :, 0] += 0.01 * np.arange(values.shape[1])
    revised = replace(whole, features=replace(whole.features, values=values))
    folder = run(revised, kind, copied(first, tmp_path / "grown"))
    assert len(patches) > END - FOLD.test.start
    expected = scores_in(run(revised, kind, tmp_path / "fresh"), whole)
    assert np.array_equal(scores_in(folder, whole), expected, equal_nan=True)


@pytest.mark.parametrize("hurt", ["bytes", "weights", "nothing"])
def test_a_state_that_is_damaged_begins_anew(hurt: str, kind, first: Path, fresh, whole, tmp_path: Path) -> None:
    jobs = copied(first, tmp_path)
    state = jobs / first.name / STREAM
    assert STREAM in (read_checksums(first) or {})
    if hurt == "bytes":
        state.write_bytes(state.read_bytes()[:-4] + b"\1\2\3\4")
    elif hurt == "weights":
        shutil.copy(first / "weights.safetensors", state)
    else:
        state.unlink()
    assert STREAM in (damage_of(jobs / first.name) or "")
    folder = run(whole, kind, jobs)
    assert np.array_equal(scores_in(folder, whole), fresh, equal_nan=True)
    assert damage_of(folder) is None


def test_a_state_is_of_its_weights_and_of_its_span(kind, first: Path, whole, tmp_path: Path) -> None:
    """Trained again it is gone; another first day isn't its own."""
    cut, jobs = until(whole, LAST), copied(first, tmp_path)
    job = job_of(cut, kind)
    stream = scorer_of(job, Sampler(cut), jobs / job.key).stream
    assert stream is not None
    other = Stream(stream.network, stream.sampler, range(FOLD.test.start + 1, LAST + 1))
    assert take_up(jobs / job.key / STREAM, stream, job.read)
    assert not take_up(jobs / job.key / STREAM, other, job.read)
    save_stream(tmp_path / STREAM, other, LAST, job.read)
    assert take_up(
        tmp_path / STREAM, Stream(stream.network, stream.sampler, range(FOLD.test.start + 1, LAST)), job.read
    )
    for name in ("weights", "checkpoint"):
        (jobs / job.key / f"{name}.safetensors").unlink()

    def stop(event: Progress) -> None:
        raise Interrupted("stopped by the test")

    with pytest.raises(Interrupted):
        run_job(job, Sampler(cut), jobs, stop)
    assert not (jobs / job.key / STREAM).exists()
