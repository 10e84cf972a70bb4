"""Steps of one shape give what steps of each day's own shape give: what a GPU runs, here without its graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deepfactor.core.errors import Interrupted
from deepfactor.core.kind import Kind, kinds_in, load_kind
from deepfactor.models.base import Causal, CausalBeside, CrossSection, Pads, Shapes
from deepfactor.training import device
from deepfactor.training.arms import Arm
from deepfactor.training.data import TrainingData
from deepfactor.training.fit import Course, Fitter
from deepfactor.training.jobs import Job, plan_jobs, task_of
from deepfactor.training.one_shape import OneShape, Recurrence, can_pad, widest
from deepfactor.training.samples import Sampler
from deepfactor.training.spec import Fit, Plan
from support.graphs import Replayed
from support.training import FOLD, toy_training, with_day_features

CPU = torch.device("cpu")
WINDOWS = Fit(epochs=3, patience=1, seeds=(7,), min_stocks=5, weight_average=0.2)
SEQUENCES = WINDOWS.model_copy(update={"samples": "sequences", "steps": 3, "burn_in": 2})
SHAPES = Shapes(features=6, window=15, widths={"day_features": 4, "fundamentals": 3, "quarters": 2, "exposures": 5})


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return with_day_features(toy_training())


def job_of(data: TrainingData, model: Kind, fit: Fit, loss: str = "ic", scaling: str = "by_day") -> Job:
    arm = Arm(name="a", model=model, loss=Kind(kind=loss), scaling=scaling)  # type: ignore[arg-type]
    return plan_jobs(data, [arm], [FOLD], Plan(first_test=2019), fit, inputs={}, label={}, stored={"a": data.inputs})[0]


def fitter_of(job: Job, data: TrainingData, checkpoint: Path, one_shape: bool) -> Fitter:
    fitter = Fitter(task_of(job, data), Sampler(data), checkpoint, one_shape=one_shape)
    assert (fitter.shape is not None) is one_shape
    return fitter


def kind(name: str, **settings: object) -> Kind:
    return Kind(kind=name, hidden=4, **settings)  # type: ignore[call-arg]


def assert_same_course(own: Fitter, other: Fitter, courses: tuple[Course, Course]) -> None:
    """Losses, validation, early stopping and scores of a day that was not trained on."""
    a, b = courses
    assert (len(a.log), a.best_epoch) == (len(b.log), b.best_epoch)
    for name in ("loss", "valid_rank_ic", "valid_top"):
        np.testing.assert_allclose([row[name] for row in a.log], [row[name] for row in b.log], rtol=1e-4, atol=1e-5)  # type: ignore[literal-required]
    scores = [fitter.scorer.scores(FOLD.valid[-1])[1] for fitter in (own, other)]
    # an IC doesn't see the head's bias, whose gradient is rounding: Adam makes a step of it all the same
    np.testing.assert_allclose(*(one - one.mean() for one in scores), rtol=0, atol=1e-4)


CASES = [
    (kind("gru"), WINDOWS, "ic", "last_close"),
    (kind("decomp_gru", groups=3), WINDOWS.model_copy(update={"days_per_step": 3}), "weighted_mse", "in_window"),
    (kind("decomp_gru", cross_section="mean"), WINDOWS, "ic", "by_day"),
    (kind("late_fusion_gru"), WINDOWS, "top_ic", "by_day"),
    (kind("gru"), SEQUENCES, "weighted_mse", "by_day"),
    (kind("decomp_gru", groups=3), SEQUENCES, "ic", "by_day"),
    (kind("late_fusion_gru"), SEQUENCES, "listnet", "by_day"),
]


@pytest.mark.parametrize(("model", "fit", "loss", "scaling"), CASES)
def test_a_fit_in_one_shape_is_the_fit(
    model: Kind, fit: Fit, loss: str, scaling: str, data: TrainingData, tmp_path: Path
) -> None:
    assert len({len(data.stocks(t)) for t in FOLD.train}) > 1  # so that some days are padded
    job = job_of(data, model, fit, loss, scaling)
    own, padded = (fitter_of(job, data, tmp_path / str(one), one) for one in (False, True))
    padded.ahead = 4  # losses are read later, the same ones
    told: list[list[tuple[int, ...]]] = [[], []]
    courses = tuple(
        fitter.run(lambda *event, seen=seen: seen.append(event[:3]))  # type: ignore[misc]
        for fitter, seen in zip((own, padded), told, strict=True)
    )
    assert_same_course(own, padded, courses)  # type: ignore[arg-type]
    assert told[0] == told[1]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are taken, of a sort: see `support.graphs`."""
    monkeypatch.setattr(device, "takes_graphs", lambda place: True)
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", Replayed)


@pytest.mark.parametrize(("model", "fit", "loss", "scaling"), CASES[1:2] + CASES[-2:])
def test_a_fit_by_graphs_is_the_fit(
    model: Kind, fit: Fit, loss: str, scaling: str, data: TrainingData, tmp_path: Path, graphs: None
) -> None:
    """Steps of several days, a network whose head is outside the graph, sequences."""
    job = job_of(data, model, fit, loss, scaling)
    own, by_graphs = (fitter_of(job, data, tmp_path / str(one), one) for one in (False, True))
    courses = own.run(lambda *event: None), by_graphs.run(lambda *event: None)
    assert_same_course(own, by_graphs, courses)
    assert by_graphs.shape is not None
    assert by_graphs.shape.run.replays >= sum(row["steps"] for row in courses[1].log) > 0  # type: ignore[operator]


def test_gradients_that_are_set_to_none_would_be_the_graphs_own(
    data: TrainingData, tmp_path: Path, graphs: None
) -> None:
    """Why they aren't: a step of several days would add the last one to itself."""
    job = job_of(data, kind("gru"), WINDOWS)
    own, by_graphs, wrong = (fitter_of(job, data, tmp_path / "none", one) for one in (False, True, True))
    for parameter in wrong.network.parameters():
        parameter.grad = None
    for fitter in (own, by_graphs, wrong):
        fitter.step(np.array(FOLD.train[3:6]), 1)
    expected, right, other = ([p.grad for p in one.network.parameters()] for one in (own, by_graphs, wrong))
    for a, b in zip(expected, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(expected[0], other[0], rtol=1e-2)  # type: ignore[arg-type]


def test_an_interrupted_fit_in_one_shape_goes_on_bit_for_bit(data: TrainingData, tmp_path: Path) -> None:
    job = job_of(data, kind("decomp_gru", groups=3), WINDOWS)
    whole = fitter_of(job, data, tmp_path / "whole", True)
    course = whole.run(lambda *event: None)

    def stop(epoch: int, *event: object) -> None:
        if epoch == 2:
            raise Interrupted("stopped by the test")

    with pytest.raises(Interrupted):
        fitter_of(job, data, tmp_path / "torn", True).run(stop)
    again = fitter_of(job, data, tmp_path / "torn", True)
    assert [row["loss"] for row in again.run(lambda *event: None).log] == [row["loss"] for row in course.log]
    for a, b in zip(whole.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(a, b)


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    part = load_kind("deepfactor.models", name)
    made: nn.Module = part.build(part.Settings(), SHAPES)
    return made.double().eval()


@pytest.mark.parametrize("name", [n for n in kinds_in("deepfactor.models") if can_pad(built(n))])
def test_stocks_of_no_batch_change_no_score_and_no_gradient_in_float64(name: str) -> None:
    """Every network that says it can be padded: a new file is tested unasked."""
    network, other = built(name), built(name)
    assert isinstance(network, Causal | CausalBeside)
    stocks, generator = 11, torch.Generator().manual_seed(3)
    windows = torch.randn(15, stocks, 6, dtype=torch.float64, generator=generator)
    rank = torch.randperm(stocks, generator=generator)
    beside = {"size_rank": rank, "day_features": torch.randn(stocks, 4, dtype=torch.float64, generator=generator)}
    shape = OneShape(Recurrence(other, 1), 15, 17, 6, CPU)  # type: ignore[arg-type]
    other.eval()
    (made,) = shape(windows, rank.expand(shape.patches, -1) if shape.compares else None)
    scores = other.score(made, beside) if isinstance(other, CausalBeside) else made
    wanted = network(CrossSection(windows, beside))
    torch.testing.assert_close(scores, wanted, rtol=0, atol=1e-13)
    weight = torch.randn(stocks, dtype=torch.float64, generator=generator)
    (scores * weight).sum().backward()
    (wanted * weight).sum().backward()
    for a, b in zip(other.parameters(), network.parameters(), strict=True):
        assert b.grad is not None
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-12)


def test_networks_of_a_shape_of_their_own_keep_it(data: TrainingData, tmp_path: Path) -> None:
    padded = {name for name in kinds_in("deepfactor.models") if can_pad(built(name))}
    assert padded == {"gru", "decomp_gru", "late_fusion_gru"}
    assert not isinstance(built("cross_gru"), Pads)
    job = job_of(data, kind("cross_gru"), WINDOWS)
    assert Fitter(task_of(job, data), Sampler(data), tmp_path / "none", one_shape=True).shape is None


def test_the_widest_step_is_the_folds(data: TrainingData) -> None:
    for days in (1, 9):
        batches = [
            np.unique(np.concatenate([data.stocks(s) for s in range(t + 1 - days, t + 1) if s >= 0]))
            for t in range(4, 30)
        ]
        assert widest(data, range(4, 30), days) == max(map(len, batches))
