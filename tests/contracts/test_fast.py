"""Every model gives the same numbers and gradients compiled as by its stock layers: a new file is tested unasked."""

from __future__ import annotations

import copy
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from contracts.test_models import ROOM, SHAPES, day
from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.models import _kernels
from deepfactor.models.base import CrossSection
from support.compiled import runnable

pytestmark = pytest.mark.skipif(not runnable(), reason="the compiled GRU isn't built here")


@pytest.fixture(params=kinds_in(ROOM))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def results(model: nn.Module, double: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Scores of a day and the gradients of a weighted sum of them."""
    batch = day()
    if double:
        double = {name: one.double() if one.is_floating_point() else one for name, one in batch.inputs.items()}
        batch = CrossSection(batch.windows.double(), double)
    scores = model(batch)
    weight = torch.randn(scores.shape, generator=torch.Generator().manual_seed(6)).to(scores.dtype)
    (scores * weight).sum().backward()
    return scores.detach().double(), {n: p.grad.double() for n, p in model.named_parameters()}


@pytest.mark.parametrize("path", ["off", *runnable()])
def test_scores_and_gradients_are_those_of_the_stock_layers_in_float64(kind, path, monkeypatch):
    monkeypatch.setenv(_kernels.VARIABLE, path)
    torch.manual_seed(0)
    model = kind.build(kind.Settings(), SHAPES).eval()
    exact, wanted = results(copy.deepcopy(model).double(), double=True)
    scores, gradients = results(model, double=False)
    torch.testing.assert_close(scores, exact, rtol=0, atol=2e-5)
    largest = max(float(g.norm()) for g in wanted.values())
    for name, gradient in gradients.items():
        assert (gradient - wanted[name]).norm() <= 1e-4 * wanted[name].norm() + 1e-6 * largest, name
