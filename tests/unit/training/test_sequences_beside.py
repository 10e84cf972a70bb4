"""Sequences of a network in two parts: each step's day has its own features, and its head sees that day's batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfactor.core.errors import Interrupted
from deepfactor.core.kind import Kind
from deepfactor.models import _kernels
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.finished import read_record
from deepfactor.training.fit import Fitter
from deepfactor.training.jobs import Job, Progress, plan_jobs, task_of
from deepfactor.training.predictions import read_scores
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.sequences import Stream
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.work import run_job
from support.compiled import runnable
from support.training import FOLD, toy_training, with_day_features

FIT = Fit(epochs=3, seeds=(7,), min_stocks=5, samples="sequences", steps=3, burn_in=2, weight_average=0.2)
WINDOWS = Fit(epochs=3, seeds=(7,), min_stocks=5)
LAST = 30
ASKED = (LAST - 6, LAST - 3, LAST)
TRAIN = frozenset(range(12, 37))


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return with_day_features(toy_training())


def job_of(data: TrainingData, fit: Fit = FIT, **model: object) -> Job:
    settings = {"hidden": 16, **model}
    arm = Arm(name="arm", model=Kind(kind="late_fusion_gru", **settings), scaling="by_day")
    (job,) = plan_jobs(
        data, [arm], [FOLD], Plan(first_test=2019), fit, inputs={}, label={}, stored={"arm": data.inputs}
    )
    return job


def fitter_of(data: TrainingData, folder: Path, **model: object) -> Fitter:
    return Fitter(task_of(job_of(data, **model), data), Sampler(data), folder / "none")


def changed(data: TrainingData, t: int, stocks: np.ndarray) -> TrainingData:
    """Other features of these stocks on day t."""
    held = data.inputs.held["day_features"]
    values = held.values.copy()
    values[t, stocks] = 256 - np.maximum(values[t, stocks].astype(int), 1)
    return replace(data, inputs=replace(data.inputs, held={"day_features": replace(held, values=values)}))


@pytest.mark.parametrize("path", ["off", *runnable()])
def test_the_loss_is_the_mean_over_the_labelled_days(
    path: str, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the window of each day and the features of that day, one after the other, and so is its gradient."""
    monkeypatch.setenv(_kernels.VARIABLE, path)
    fitter = fitter_of(data, tmp_path, dropout=0.0)
    network, sampler, kind = fitter.network, fitter.sampler, fitter.task.loss
    expected = []
    for t in ASKED:
        stocks = data.stocks(t)
        labelled = data.labelled(t, stocks)
        windows = sampler.rows(LAST - 14, t + 1)[:, torch.from_numpy(stocks)]
        h = network.gru(network.embedding(windows))[0][-1]
        scores = network.score(h, sampler.beside(t, frozenset({"windows", "day_features"})))
        target = torch.from_numpy(standardise(data.label[t, stocks[labelled]], "rank"))
        expected.append(kind.part.loss(kind.settings, scores[torch.from_numpy(labelled)], target))
    wanted = torch.stack(expected).mean()
    found = fitter.sequences.loss(LAST, TRAIN)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    parameters = list(network.parameters())
    exact, ours = (torch.autograd.grad(loss, parameters, allow_unused=True) for loss in (wanted, found))
    largest = max(float(g.norm()) for g in exact)
    for mine, reference in zip(ours, exact, strict=True):
        assert (mine - reference).norm() <= 1e-4 * reference.norm() + 1e-5 * largest
    torch.testing.assert_close(fitter.sequences.loss(LAST, frozenset({LAST})), expected[-1], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_step_reads_the_features_of_its_scored_days_alone(data: TrainingData, tmp_path: Path) -> None:
    def loss(data: TrainingData, among: frozenset[int] = TRAIN) -> float:
        return fitter_of(data, tmp_path).sequences.loss(LAST, among).item()  # weights and dropout anew by the seed

    def same(t: int, stocks: np.ndarray, among: frozenset[int] = TRAIN) -> bool:
        return loss(changed(data, t, stocks), among) == loss(data, among)

    everybody = np.arange(len(data.symbols))
    for t in (LAST - 9, LAST - 2, LAST + 1):  # of burn-in, between patches' ends, to come
        assert same(t, everybody)
    for t in ASKED:
        assert not same(t, data.stocks(t)[:1])
        assert same(t, np.setdiff1d(everybody, data.stocks(t)))  # not in that day's batch
    assert same(LAST - 3, everybody, frozenset({LAST}))  # a day that isn't trained on


def test_a_stream_begins_as_windows_do_and_goes_on(data: TrainingData, tmp_path: Path) -> None:
    fitter = fitter_of(data, tmp_path)
    network, reads = fitter.scorer.network, fitter.task.inputs
    stream = Stream(network, fitter.sampler, range(45, 70), reads)
    with torch.inference_mode():
        first = stream.scores(45).clone()
        torch.testing.assert_close(first, network(fitter.sampler.cross_section(45, reads)), rtol=0, atol=1e-5)
        at_once = [stream.scores(t).clone() for t in (46, 47, 48)]
        again = Stream(network, fitter.sampler, range(45, 70), reads)
        again.scores(45)
        assert torch.equal(again.scores(48), at_once[-1])  # the days between are taken in unasked
        assert torch.equal(stream.scores(45), first)  # a day before begins anew
        other = changed(data, 48, data.stocks(48)[:1])
        revised = Stream(network, Sampler(other, fitter.task.scaling), range(45, 70), reads)
        differ = revised.scores(48) != at_once[-1]
    assert differ.tolist() == [True] + [False] * (len(differ) - 1)


def result(job: Job, jobs: Path) -> tuple[bytes, bytes]:
    folder = jobs / job.key
    return (folder / "weights.safetensors").read_bytes(), (folder / "scores.npy").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("fit", [FIT, WINDOWS], ids=["sequences", "windows"])
@pytest.mark.parametrize("when", [("train", 2, 2), ("validate", 2, 0), ("train", 3, 1), ("predict", 3, 4)])
def test_an_interrupted_job_goes_on_bit_for_bit(when, fit: Fit, data: TrainingData, tmp_path: Path) -> None:
    """Dropout and all."""
    job = job_of(data, fit)

    def stop(event: Progress) -> None:
        phase, epoch, step = when
        if event.phase == phase and event.epoch == epoch and (not step or event.step == step):
            raise Interrupted("stopped by the test")

    run_job(job, Sampler(data), tmp_path / "whole", lambda event: None)
    with pytest.raises(Interrupted):
        run_job(job, Sampler(data), tmp_path / "cut", stop)
    run_job(job, Sampler(data), tmp_path / "cut", lambda event: None)
    assert result(job, tmp_path / "cut") == result(job, tmp_path / "whole")
    assert read_record(tmp_path / "cut" / job.key)["days_scored"] == len(FOLD.test)


@pytest.mark.slow
@pytest.mark.parametrize("fit", [FIT, WINDOWS], ids=["sequences", "windows"])
def test_it_learns_what_the_days_features_say(fit: Fit, data: TrainingData, tmp_path: Path) -> None:
    """The label is in them, and in nothing else; not where they are another stock's."""
    held, rng = data.inputs.held["day_features"], np.random.default_rng(0)
    label = np.where(np.isfinite(data.label), held.values[..., 0] + 20 * rng.standard_normal(data.label.shape), np.nan)
    reached = []
    for name, order in (("own", np.arange(len(data.symbols))), ("others", rng.permutation(len(data.symbols)))):
        inputs = replace(data.inputs, held={"day_features": replace(held, values=held.values[:, order])})
        one = replace(data, label=label, inputs=inputs)
        job = job_of(one, fit.model_copy(update={"epochs": 8, "lr": 0.01}))
        run_job(job, Sampler(one), tmp_path / name, lambda event: None)
        reached.append(read_record(tmp_path / name / job.key)["valid_rank_ic"])
    assert reached[0] > 0.7 > 0.4 > reached[1]


def test_its_key_reads_its_features_and_others_dont(data: TrainingData) -> None:
    """Of training and validation; the day's print of all that are scored. A `gru` beside it keeps its key."""
    job, everybody = job_of(data), np.arange(len(data.symbols))
    assert job.identity["inputs"] == {"day_features": {"kind": "toy"}}
    assert job_of(changed(data, 20, everybody)).key != job.key
    later = job_of(changed(data, 60, everybody))
    assert later.key == job.key
    assert [day for day, print_ in later.read.items() if job.read[day] != print_] == [str(data.dates[60])]
    arms = [Arm(name=k, model=Kind(kind=k, hidden=16), scaling="by_day") for k in ("gru", "late_fusion_gru")]
    stored, bare = {"late_fusion_gru": data.inputs}, toy_training()
    beside = plan_jobs(bare, arms, [FOLD], Plan(first_test=2019), FIT, inputs={}, label={}, stored=stored)
    (alone,) = plan_jobs(bare, arms[:1], [FOLD], Plan(first_test=2019), FIT, inputs={}, label={})
    assert [one.key for one in beside] == [alone.key, job.key]
    assert "parts" not in alone.identity
    assert alone.read == beside[0].read


def test_revised_features_of_a_scored_day_are_scored_again(data: TrainingData, tmp_path: Path) -> None:
    job = job_of(data)
    run_job(job, Sampler(data), tmp_path, lambda event: None)
    _, before = read_scores(tmp_path / job.key)
    revised = changed(data, 60, data.stocks(60)[:2])
    run_job(job_of(revised), Sampler(revised), tmp_path, lambda event: None)
    _, after = read_scores(tmp_path / job.key)
    differ = (before != after) & np.isfinite(before)
    assert np.argwhere(differ)[:, 0].tolist() == [60 - FOLD.test.start] * 2
