"""Sequences: scores at every patch are those of windows, a running state goes on, and training is repeatable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfactor.core.errors import Interrupted, RecipeError
from deepfactor.core.kind import Kind
from deepfactor.cross_section.ranks import position_rank
from deepfactor.models import cross_gru, decomp_gru, gru
from deepfactor.models.base import CrossSection, Shapes
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.finished import read_record
from deepfactor.training.fit import Fitter
from deepfactor.training.jobs import Job, Progress, plan_jobs, task_of
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.sequences import Stream, ranks_at
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.work import run_job
from support.compiled import runnable
from support.training import FOLD, toy_training

SHAPES = Shapes(features=6, window=30)
KINDS = (gru, decomp_gru, cross_gru)
FIT = Fit(epochs=3, seeds=(7,), min_stocks=5, samples="sequences", steps=3, burn_in=2, weight_average=0.2)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return toy_training()


def network(kind, hidden: int = 16, **settings: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind.build(kind.Settings(hidden=hidden, **settings), SHAPES).eval()


def jobs_of(data: TrainingData, *models: str, fit: Fit = FIT, **arm: object) -> list[Job]:
    arms = [Arm(name=m, model=Kind(kind=m, hidden=8), **{"scaling": "by_day", **arm}) for m in models]
    return plan_jobs(data, arms, [FOLD], Plan(first_test=2019), fit, inputs={}, label={})


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_of_each_patch_is_that_of_its_window(kind):
    """Whoever is in every day's batch in the same order of size is compared with the same stocks throughout."""
    model, stocks, patches = network(kind), 37, 14
    windows, rank = torch.randn(3 * patches, stocks, 6), torch.randperm(stocks)
    with torch.no_grad():
        scores = model.sequence(windows, rank.expand(patches, -1), 5)
        assert scores.shape == (5, stocks)
        for row, end in zip(scores, range(3 * (patches - 4), 3 * patches + 1, 3), strict=True):
            expected = model(CrossSection(windows[:end], {} if rank is None else {"size_rank": rank}))
            torch.testing.assert_close(row, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_advancing_patch_by_patch_gives_the_same_scores(kind):
    model, stocks, patches = network(kind), 41, 12
    windows = torch.randn(3 * patches, stocks, 6)
    ranks = torch.stack([torch.randperm(stocks) for _ in range(patches)])
    ranks[torch.rand(patches, stocks) < 0.2] = -1
    for row in ranks:  # ranks without holes among those who are there
        row[row >= 0] = row[row >= 0].argsort().argsort()
    state = None
    with torch.no_grad():
        scores = model.sequence(windows, ranks, patches)
        for p in range(patches):
            first = 3 * p - model.memory
            rows = windows[max(first, 0) : 3 * p + 3]
            rows = torch.cat([rows[:1].expand(max(-first, 0), -1, -1), rows])
            state, advanced = model.advance(state, rows, ranks[p])
            there = ranks[p] >= 0
            torch.testing.assert_close(advanced[there], scores[p, there], rtol=0, atol=1e-5)


@pytest.mark.skipif(not runnable(), reason="the compiled GRU isn't built here")
@pytest.mark.parametrize("kind", [gru, decomp_gru])
def test_compiled_scores_dont_know_to_the_last_bit_who_else_is_remembered(kind):
    """So a day's scores are the same whether or not a stock that lists later already has its column."""
    model, stocks, patches = network(kind), 41, 6
    windows, others = torch.randn(3 * patches, stocks, 6), torch.rand(stocks) < 0.3
    ranks = torch.where(others, -1, (~others).cumsum(0) - 1)
    few, all_ = None, None
    with torch.no_grad():
        for p in range(patches):
            rows = windows[max(3 * p - model.memory, 0) : 3 * p + 3]
            rows = torch.cat([rows[:1].expand(model.memory + 3 - len(rows), -1, -1), rows])
            all_, of_all = model.advance(all_, rows, ranks)
            few, of_few = model.advance(few, rows[:, ~others], ranks[~others])
            assert torch.equal(of_all[~others], of_few)


def test_size_groups_are_those_of_each_steps_own_day():
    """A stock that isn't in a day's batch changes nobody's score of that day."""
    model, stocks, patches = network(decomp_gru), 30, 6
    windows, ranks = torch.randn(3 * patches, stocks, 6), torch.arange(stocks).expand(patches, -1).clone()
    ranks[:, 4] = -1
    ranks[:, 5:] -= 1
    changed = windows.clone()
    changed[:, 4] += 1.0
    with torch.no_grad():
        one, other = model.sequence(windows, ranks, patches), model.sequence(changed, ranks, patches)
    assert torch.equal(one[:, ranks[0] >= 0], other[:, ranks[0] >= 0])
    assert not torch.equal(one[:, 4], other[:, 4])


def test_ranks_are_of_the_days_own_batch(data: TrainingData) -> None:
    days, columns = [30, 41, -2], np.arange(len(data.symbols))
    ranks = ranks_at(data, days, columns)
    for row, t in zip(ranks[:2], days[:2], strict=True):
        stocks = data.stocks(t)
        assert np.array_equal(np.flatnonzero(row >= 0), stocks)
        assert np.array_equal(row[stocks], position_rank(data.size[t, stocks]))
    assert (ranks[2] == -1).all()


@pytest.mark.parametrize("kind", ["gru", "decomp_gru", "cross_gru"])
def test_the_loss_is_the_mean_over_the_labelled_days(kind: str, data: TrainingData, tmp_path: Path) -> None:
    (job,) = jobs_of(data, kind)
    fitter = Fitter(task_of(job, data), Sampler(data), tmp_path / "none")
    last, sampler = 30, fitter.sampler
    scores = fitter.network.sequence(
        sampler.rows(last - 14, last + 1),
        torch.from_numpy(ranks_at(data, list(range(last - 12, last + 1, 3)), np.arange(24))),
        3,
    )
    expected = []
    for row, t in zip(scores, (last - 6, last - 3, last), strict=True):
        stocks = data.stocks(t)
        labelled = stocks[data.labelled(t, stocks)]
        target = torch.from_numpy(standardise(data.label[t, labelled], "rank"))
        expected.append(fitter.task.loss.part.loss(fitter.task.loss.settings, row[torch.from_numpy(labelled)], target))
    found = fitter.sequences.loss(last, frozenset(range(12, 37)))
    torch.testing.assert_close(found, torch.stack(expected).mean(), rtol=0, atol=1e-6)
    only = fitter.sequences.loss(last, frozenset({last}))
    torch.testing.assert_close(only, expected[-1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["gru", "decomp_gru"])
def test_a_stream_begins_as_windows_do_and_goes_on(kind: str, data: TrainingData, tmp_path: Path) -> None:
    (job,) = jobs_of(data, kind)
    fitter = Fitter(task_of(job, data), Sampler(data), tmp_path / "none")
    stream = Stream(fitter.scorer.network, fitter.sampler, range(45, 70))
    with torch.inference_mode():
        first = stream.scores(45).clone()
        if kind == "gru":
            window = fitter.scorer.network(fitter.sampler.cross_section(45, frozenset({"windows"})))
            torch.testing.assert_close(first, window, rtol=0, atol=1e-5)
        at_once = [stream.scores(t).clone() for t in (46, 47, 48)]
        again = Stream(fitter.scorer.network, fitter.sampler, range(45, 70))
        again.scores(45)
        assert torch.equal(again.scores(48), at_once[-1])  # the days between are taken in unasked
        assert torch.equal(stream.scores(45), first)  # a day before begins anew


def result(job: Job, jobs: Path) -> tuple[bytes, bytes]:
    folder = jobs / job.key
    return (folder / "weights.safetensors").read_bytes(), (folder / "scores.npy").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("when", [("train", 2, 2), ("validate", 2, 0), ("train", 3, 1), ("predict", 3, 4)])
def test_an_interrupted_job_goes_on_bit_for_bit(when, data: TrainingData, tmp_path: Path) -> None:
    (job,) = jobs_of(data, "decomp_gru")

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
def test_training_on_sequences_learns(data: TrainingData, tmp_path: Path) -> None:
    (job,) = jobs_of(data, "gru", fit=FIT.model_copy(update={"epochs": 12, "updates": 30, "lr": 0.01}))
    run_job(job, Sampler(data), tmp_path, lambda event: None)
    assert read_record(tmp_path / job.key)["valid_rank_ic"] > 0.3


def test_an_epoch_takes_each_training_day_about_once(data: TrainingData, tmp_path: Path) -> None:
    (job,) = jobs_of(data, "gru")
    fitter = Fitter(task_of(job, data), Sampler(data), tmp_path / "none")
    days = np.arange(12, 37)
    drawn = fitter.sequences.draws(days, np.random.default_rng(0))
    assert len(drawn) == len(set(drawn.tolist())) == 9  # 25 days, three a sequence
    assert set(drawn.tolist()) <= set(days.tolist())


def test_windows_and_sequences_are_different_jobs(data: TrainingData) -> None:
    (one,), (other,) = jobs_of(data, "gru"), jobs_of(data, "gru", fit=Fit(epochs=3, seeds=(7,), min_stocks=5))
    assert one.key != other.key
    assert "samples" not in other.identity["fit"]


@pytest.mark.parametrize(
    ("model", "arm", "message"),
    [
        ("bi_agru", {}, r"arms\.0\.model: bi_agru does not read time forwards alone"),
        ("gru", {"scaling": "last_close"}, r"arms\.0\.scaling: scaling last_close standardises whole windows"),
    ],
)
def test_what_sequences_cannot_train_is_refused(model: str, arm, message: str, data: TrainingData) -> None:
    with pytest.raises(RecipeError, match=message):
        jobs_of(data, model, **arm)


def test_a_label_of_the_validation_span_is_never_trained_on(data: TrainingData, tmp_path: Path) -> None:
    """Labels outside the training span, and rows after its end, may be anything."""
    fold = Fold("early", range(12, 30), *(getattr(FOLD, name) for name in ("valid", "test")))
    weights = []
    for scramble in (False, True):
        label = data.label.copy()
        if scramble:
            label[30:40] = np.random.default_rng(1).standard_normal(label[30:40].shape)
        changed = replace(data, label=label)
        arm = Arm(name="gru", model=Kind(kind="gru", hidden=8), scaling="by_day")
        (job,) = plan_jobs(changed, [arm], [fold], Plan(first_test=2019), FIT, inputs={}, label={})
        run_job(job, Sampler(changed), tmp_path / str(scramble), lambda event: None)
        weights.append(result(job, tmp_path / str(scramble)))
    assert weights[0] == weights[1]
