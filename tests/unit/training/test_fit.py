"""One job: the same bits each time, also across interruptions; early stopping, averaging, clear failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfactor.core.errors import Interrupted, UserError
from deepfactor.core.kind import Kind
from deepfactor.core.trust import Trust
from deepfactor.cross_section.correlation import spearman
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.finished import read_record
from deepfactor.training.fit import Course, Fitter, seed_torch
from deepfactor.training.jobs import Job, Progress, plan_jobs, task_of
from deepfactor.training.losses import ic
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler, standardise
from deepfactor.training.spec import Fit, Plan
from deepfactor.training.weights import WeightAverage, load_tensors
from deepfactor.training.work import run_job
from support.training import FOLD, TINY, toy_jobs, toy_training

NOISY = Kind(kind="support.noisy_model")


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return toy_training()


def quiet(event: Progress) -> None:
    """No listener."""


def result(job: Job, jobs: Path) -> tuple[bytes, bytes, list[dict[str, object]]]:
    """Weights, scores and log of a finished job, the log without times."""
    folder = jobs / job.key
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    kept = [{k: v for k, v in row.items() if k not in ("seconds", "cpu")} for row in log]
    return (folder / "weights.safetensors").read_bytes(), (folder / "scores.npy").read_bytes(), kept


def stop_at(match: Callable[[Progress], bool]) -> Callable[[Progress], None]:
    def listen(event: Progress) -> None:
        if match(event):
            raise Interrupted("stopped by the test")

    return listen


def noisy_job(data: TrainingData, average: float | None = 0.2) -> Job:
    fit = Fit(epochs=4, seeds=(7,), min_stocks=5, weight_average=average)
    arm = Arm.model_validate({"name": "noisy", "model": NOISY}, context=Trust(outside=True))
    return plan_jobs(data, [arm], [FOLD], Plan(first_test=2019, every=2), fit, inputs={}, label={})[0]


@pytest.mark.slow
def test_twice_the_same_bits_and_another_seed_others(data: TrainingData, tmp_path: Path) -> None:
    first, second = toy_jobs(data)
    for name in ("a", "b"):
        run_job(first, Sampler(data), tmp_path / name, quiet)
    run_job(second, Sampler(data), tmp_path / "a", quiet)
    assert result(first, tmp_path / "a") == result(first, tmp_path / "b")
    assert result(first, tmp_path / "a")[1] != result(second, tmp_path / "a")[1]


INTERRUPTIONS: dict[str, Callable[[Progress], bool]] = {
    "first step": lambda e: e.phase == "train" and (e.epoch, e.step) == (1, 1),
    "middle of epoch 2": lambda e: e.phase == "train" and (e.epoch, e.step) == (2, 6),
    "epoch 3 validated, not saved": lambda e: e.phase == "validate" and e.epoch == 3,
    "first step of epoch 4": lambda e: e.phase == "train" and (e.epoch, e.step) == (4, 1),
    "prediction": lambda e: e.phase == "predict" and e.step == 5,
}


@pytest.mark.slow
@pytest.mark.parametrize("when", INTERRUPTIONS)
def test_an_interrupted_job_goes_on_bit_for_bit(when: str, data: TrainingData, tmp_path: Path) -> None:
    """With dropout, batch statistics, averaged weights and every second day: all there is to lose."""
    job = noisy_job(data)
    run_job(job, Sampler(data), tmp_path / "whole", quiet)
    with pytest.raises(Interrupted):
        run_job(job, Sampler(data), tmp_path / "broken", stop_at(INTERRUPTIONS[when]))
    assert not (tmp_path / "broken" / job.key / "done").exists()
    seen: list[Progress] = []
    run_job(job, Sampler(data), tmp_path / "broken", seen.append)
    assert result(job, tmp_path / "broken") == result(job, tmp_path / "whole")
    if when == "first step of epoch 4":
        assert min(e.epoch for e in seen if e.phase == "train") == 4, "epochs that were done were trained again"


@pytest.mark.slow
def test_a_done_job_is_skipped(data: TrainingData, tmp_path: Path) -> None:
    job = toy_jobs(data)[0]
    run_job(job, Sampler(data), tmp_path, quiet)
    seen: list[Progress] = []
    run_job(job, Sampler(data), tmp_path, seen.append)
    assert [e.phase for e in seen] == ["skip"]


@pytest.mark.slow
def test_the_network_learns_what_there_is_to_learn(tmp_path: Path) -> None:
    """The toy's label is reversal: the score must correlate with it on days that no label was read of."""
    data = toy_training(stocks=60)
    job = toy_jobs(data, fit=Fit(epochs=4, seeds=(0,), min_stocks=5))[0]
    run_job(job, Sampler(data), tmp_path, quiet)
    scores = np.load(tmp_path / job.key / "scores.npy").astype(float)
    axes = json.loads((tmp_path / job.key / "axes.json").read_text())
    columns = np.searchsorted(data.symbols, axes["symbols"])
    ics = []
    for row, t in enumerate(FOLD.test):
        label = data.label[t, columns]
        both = np.isfinite(scores[row]) & np.isfinite(label)
        ics.append(spearman(scores[row, both], label[both]))
    assert np.mean(ics) > 0.4
    record = read_record(tmp_path / job.key)
    assert record["days_scored"] == len(FOLD.test)
    assert record["left_out"]["train"]["entry_not_tradeable"] > 0


def test_every_day_of_the_test_span_with_a_batch_is_scored_whole(data: TrainingData, tmp_path: Path) -> None:
    empty = FOLD.test[3]
    eligible = data.eligible.copy()
    eligible[empty] = False
    data = replace(data, eligible=eligible)
    job = toy_jobs(data)[0]
    run_job(job, Sampler(data), tmp_path, quiet)
    scores = np.load(tmp_path / job.key / "scores.npy")
    assert np.isfinite(scores).sum(axis=1).tolist() == [len(data.stocks(t)) for t in FOLD.test]
    assert read_record(tmp_path / job.key)["days_without_batch"] == 1


@pytest.mark.slow
def test_best_epoch_is_kept_and_patience_ends_the_fit(data: TrainingData, tmp_path: Path) -> None:
    job = toy_jobs(data, fit=Fit(epochs=60, patience=2, seeds=(0,), min_stocks=5, lr=0.05))[0]
    run_job(job, Sampler(data), tmp_path, quiet)
    log = [json.loads(line) for line in (tmp_path / job.key / "log.jsonl").read_text().splitlines()]
    values = [row["valid_rank_ic"] for row in log]
    best = int(np.argmax(values)) + 1
    record = read_record(tmp_path / job.key)
    assert record["best_epoch"] == best
    assert record["valid_rank_ic"] == max(values)
    assert len(log) == best + 2 < 60
    assert load_tensors(tmp_path / job.key / "weights.safetensors")[1]["best_epoch"] == best


def test_course_is_over_by_patience_or_by_epochs() -> None:
    fit = Fit(epochs=5, patience=2)
    row: dict[str, object] = {}
    assert not Course().is_over(fit)
    assert not Course([row] * 4, best_epoch=3).is_over(fit)
    assert Course([row] * 4, best_epoch=2).is_over(fit)
    assert Course([row] * 5, best_epoch=5).is_over(fit)


def test_offset_rotates_by_epoch_and_order_is_shuffled(data: TrainingData, tmp_path: Path) -> None:
    days: dict[int, list[int]] = {}
    sampler = Sampler(data)
    original, epoch = sampler.cross_section, [1]

    def spy(t: int, inputs: frozenset[str]):  # type: ignore[no-untyped-def]
        if t < FOLD.train.stop:
            days.setdefault(epoch[0], []).append(t)
        return original(t, inputs)

    def listen(event: Progress) -> None:
        if event.phase == "validate":
            epoch[0] = event.epoch + 1

    sampler.cross_section = spy  # type: ignore[method-assign]
    job = toy_jobs(data, plan=Plan(first_test=2019, every=5), fit=Fit(epochs=6, seeds=(0,), min_stocks=5))[0]
    run_job(job, sampler, tmp_path, listen)
    for number in range(1, 7):
        assert sorted(days[number]) == list(FOLD.train[(number - 1) % 5 :: 5])
    assert any(days[n] != sorted(days[n]) for n in days)
    assert days[1] != days[6], "the same days in the same order in two epochs"


def test_weight_average_is_the_mean_first_and_exponential_then() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    average, values, wanted = WeightAverage(0.25), [3.0, 1.0, 5.0, 2.0, 8.0, 4.0], 0.0
    for step, value in enumerate(values, start=1):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update(network)
        wanted = float(np.mean(values[:step])) if step <= 4 else wanted * 0.75 + value * 0.25
        assert average.state["weight"].item() == pytest.approx(wanted, rel=1e-6)


def test_averaged_weights_are_the_ones_that_score(data: TrainingData, tmp_path: Path) -> None:
    plain, averaged = noisy_job(data, average=None), noisy_job(data, average=0.2)
    for job in (plain, averaged):
        run_job(job, Sampler(data), tmp_path, quiet)
    tensors, note = load_tensors(tmp_path / averaged.key / "checkpoint.safetensors")
    assert note["average_steps"] == sum(row["steps"] for row in note["log"])
    assert not torch.equal(tensors["average/head.weight"], tensors["net/head.weight"])
    assert result(plain, tmp_path)[1] != result(averaged, tmp_path)[1]


def test_random_numbers_differ_by_epoch_and_entropy_only() -> None:
    def draw(entropy: tuple[int, ...], epoch: int) -> tuple[float, ...]:
        generator = seed_torch(entropy, epoch)
        return float(torch.rand(1)), float(generator.random())

    assert draw((1, 2, 3), 1) == draw((1, 2, 3), 1)
    others = [draw((1, 2, 3), 2), draw((2, 2, 3), 1), draw((1, 3, 3), 1), draw((1, 2, 4), 1)]
    assert len({draw((1, 2, 3), 1), *others}) == 5


def test_a_loss_that_is_not_finite_says_where(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ic, "loss", lambda settings, prediction, target: prediction.sum() * float("nan"))
    with pytest.raises(UserError, match=r"the loss became nan in epoch 1 on 2019-0.*labelled stocks.*fit\.lr"):
        run_job(toy_jobs(data)[0], Sampler(data), tmp_path, quiet)


def test_weights_that_diverged_give_no_scores(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step of an epoch can spoil the weights after a loss that was still finite."""
    monkeypatch.setattr(ic, "loss", lambda settings, prediction, target: (prediction * 0).sqrt().sum() * 0)
    with pytest.raises(UserError, match=r"(loss became nan|scores of .* are not finite).*fit\.lr"):
        run_job(toy_jobs(data, plan=Plan(first_test=2019, every=100))[0], Sampler(data), tmp_path, quiet)


def test_too_few_labels_say_which_span(data: TrainingData, tmp_path: Path) -> None:
    job = toy_jobs(data, fit=Fit(epochs=1, seeds=(0,), min_stocks=500))[0]
    with pytest.raises(UserError, match=r"no training day of 2019-01-17 to .*min_stocks = 500"):
        run_job(job, Sampler(data), tmp_path, quiet)
    late = replace(data, label=np.where(np.arange(len(data.dates))[:, None] < FOLD.valid.start, data.label, np.nan))
    with pytest.raises(UserError, match="no validation day"):
        run_job(toy_jobs(late)[0], Sampler(late), tmp_path, quiet)


def test_training_leaves_torch_as_it_was(data: TrainingData, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    run_job(toy_jobs(data)[0], Sampler(data), tmp_path, quiet)
    assert torch.get_num_threads() == threads
    assert (torch.tensor([1e-39]) * 1.0).item() > 0, "denormals are still flushed to zero"


def test_a_fold_may_start_before_a_whole_window(data: TrainingData, tmp_path: Path) -> None:
    """Rows before the market's first are missing, not wrapped around."""
    fold = Fold("early", range(5, 30), range(33, 45), range(48, 52))
    job = toy_jobs(data, fold=fold)[0]
    run_job(job, Sampler(data), tmp_path, quiet)
    assert read_record(tmp_path / job.key)["days_scored"] == 4


def test_labels_are_made_into_what_the_loss_asks_for(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, np.ndarray] = {}

    def loss(settings: ic.Settings, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        seen[settings.target] = target.numpy().copy()
        return prediction.sum()

    monkeypatch.setattr(ic, "loss", loss)
    t = FOLD.train[3]
    for target in ("rank", "zscore"):
        arm = Arm(name="arm", model=TINY, loss=Kind(kind="ic", target=target))
        job = plan_jobs(data, [arm], [FOLD], Plan(first_test=2019), Fit(min_stocks=5), inputs={}, label={})[0]
        Fitter(task_of(job, data), Sampler(data), tmp_path / target).step(np.array([t]), 1)
    stocks = data.stocks(t)
    label = data.label[t, stocks[data.labelled(t, stocks)]]
    for target, got in seen.items():
        np.testing.assert_array_equal(got, standardise(label, target))
    assert not np.allclose(seen["rank"], seen["zscore"])


def test_several_days_a_step_average_loss_and_gradient(data: TrainingData, tmp_path: Path) -> None:
    def fitter(days: int) -> Fitter:
        fit = Fit(epochs=1, seeds=(0,), min_stocks=5, clip=1e9, days_per_step=days)
        job = toy_jobs(data, fit=fit)[0]
        return Fitter(task_of(job, data), Sampler(data), tmp_path / f"{days}.safetensors")

    chosen = np.array(FOLD.train[3:6])
    alone, losses = [], []
    for t in chosen:
        one = fitter(1)
        losses.append(one.step(np.array([t]), 1))
        alone.append([p.grad for p in one.network.parameters()])
    three = fitter(3)
    assert three.step(chosen, 1) == pytest.approx(np.mean(losses), rel=1e-6)
    *seen, _ = zip(three.network.parameters(), *alone, strict=True)  # the IC doesn't see the last bias: rounding alone
    for together, *parts in seen:
        torch.testing.assert_close(together.grad, torch.stack(parts).mean(dim=0), rtol=1e-4, atol=1e-7)
    course = fitter(3).run(lambda *event: None)
    assert course.log[0]["steps"] == -(-len(FOLD.train) // 3)


@pytest.mark.parametrize("scaling", ["by_day", "in_window"])
def test_every_scaling_trains(scaling: str, data: TrainingData, tmp_path: Path) -> None:
    arm = Arm(name="a", model=Kind(kind="gru", hidden=4), scaling=scaling)  # type: ignore[call-arg, arg-type]
    fit = Fit(epochs=1, seeds=(0,), min_stocks=5)
    jobs = plan_jobs(data, [arm], [FOLD], Plan(first_test=2019), fit, inputs={}, label={})
    plain = toy_jobs(data, fit=fit)[0]
    for job in (jobs[0], plain):
        run_job(job, Sampler(data), tmp_path, quiet)
    assert result(jobs[0], tmp_path)[1] != result(plain, tmp_path)[1]
