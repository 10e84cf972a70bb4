"""What every loss must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.training.samples import standardise

ROOM = "deepfactor.training.losses"


@pytest.fixture(params=kinds_in("deepfactor.training.losses"))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def target(kind: ModuleType, m: int = 200) -> Tensor:
    label = torch.randn(m, generator=torch.Generator().manual_seed(1)).double().numpy()
    return torch.from_numpy(standardise(label, kind.target(kind.Settings())))


def value(kind: ModuleType, prediction: Tensor, wanted: Tensor) -> Tensor:
    found: Tensor = kind.loss(kind.Settings(), prediction, wanted)
    return found


def test_its_target_is_one_that_samples_can_make(kind: ModuleType) -> None:
    assert kind.target(kind.Settings()) in ("rank", "zscore")


def test_a_better_prediction_has_a_lower_loss(kind: ModuleType) -> None:
    wanted = target(kind)
    noise = torch.randn(len(wanted), generator=torch.Generator().manual_seed(2))
    losses = [float(value(kind, wanted + scale * noise, wanted)) for scale in (0.0, 0.5, 2.0, 8.0)]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]


def test_the_order_of_the_stocks_does_not_matter(kind: ModuleType) -> None:
    wanted = target(kind)
    prediction, order = wanted.flip(0), torch.randperm(len(wanted), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(value(kind, prediction[order], wanted[order]), value(kind, prediction, wanted))


def test_a_step_against_the_gradient_lowers_it(kind: ModuleType) -> None:
    wanted = target(kind)
    prediction = torch.randn(len(wanted), generator=torch.Generator().manual_seed(4)).requires_grad_()
    before = value(kind, prediction, wanted)
    (slope,) = torch.autograd.grad(before, prediction)
    assert torch.isfinite(slope).all()
    assert value(kind, prediction - 0.1 * slope / slope.norm(), wanted) < before


@pytest.mark.parametrize("prediction", [torch.zeros(50), torch.full((50,), 3.0)])
def test_a_prediction_without_spread_is_finite_and_so_is_its_gradient(kind: ModuleType, prediction: Tensor) -> None:
    given = prediction.clone().requires_grad_()
    found = value(kind, given, target(kind, 50))
    assert torch.isfinite(found)
    assert torch.isfinite(torch.autograd.grad(found, given)[0]).all()
