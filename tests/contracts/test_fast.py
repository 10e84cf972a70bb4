"""Every model gives the same numbers and gradients compiled as by its stock layers: a new file is tested unasked."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from contracts.test_models import ROOM, SHAPES, day
from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.models import _kernels
from deepfactor.models.base import Causal, CausalBeside, CrossSection
from support.compiled import runnable

pytestmark = pytest.mark.skipif(not runnable(), reason="the compiled GRU isn't built here")


def built(name: str) -> nn.Module:
    """A model of this kind at its defaults, the same at every call."""
    torch.manual_seed(0)
    kind = load_kind(ROOM, name)
    return kind.build(kind.Settings(), SHAPES).eval()


def results(model: nn.Module, double: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Scores of a day and the gradients of a weighted sum of them."""
    batch = CrossSection(day().windows.double(), beside(double)) if double else day()
    return _with_gradients(model, model(batch))


def beside(double: bool) -> dict[str, Tensor]:
    """What the day holds beside windows."""
    of_day = day().inputs
    return {name: one.double() if double and one.is_floating_point() else one for name, one in of_day.items()}


def results_of_sequence(model: nn.Module, double: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """The last three days' scores of a sequence in whose batches stocks come and go, and the gradients likewise."""
    assert isinstance(model, Causal | CausalBeside)
    windows, days = day().windows, SHAPES.window // model.patch
    if double:
        windows = windows.double()
    if isinstance(model, CausalBeside):
        return _with_gradients(model, torch.stack([model.score(h, beside(double)) for h in model.states(windows, 3)]))
    there = torch.rand(days, windows.shape[1], generator=torch.Generator().manual_seed(8)) < 0.8
    rank = torch.where(there, there.cumsum(dim=1) - 1, -1)
    scores = model.sequence(windows, rank if model.compares else None, 3)
    return _with_gradients(model, scores * there[-3:])


def _with_gradients(model: nn.Module, scores: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    weight = torch.randn(scores.shape, generator=torch.Generator().manual_seed(6)).to(scores.dtype)
    (scores * weight).sum().backward()
    return scores.detach().double(), {n: p.grad.double() for n, p in model.named_parameters()}


@pytest.mark.slow
@pytest.mark.parametrize("path", ["off", *runnable()])
@pytest.mark.parametrize("kind", kinds_in(ROOM))
def test_scores_and_gradients_are_those_of_the_stock_layers_in_float64(kind, path, monkeypatch):
    monkeypatch.setenv(_kernels.VARIABLE, path)
    compare(results, built(kind))


@pytest.mark.parametrize("path", ["off", *runnable()])
@pytest.mark.parametrize("name", [name for name in kinds_in(ROOM) if isinstance(built(name), Causal | CausalBeside)])
def test_sequences_are_those_of_the_stock_layers_in_float64(name, path, monkeypatch):
    monkeypatch.setenv(_kernels.VARIABLE, path)
    compare(results_of_sequence, built(name))


def compare(made_by: Callable[[nn.Module, bool], tuple[Tensor, dict[str, Tensor]]], model: nn.Module) -> None:
    exact, wanted = made_by(copy.deepcopy(model).double(), True)
    scores, gradients = made_by(model, False)
    torch.testing.assert_close(scores, exact, rtol=0, atol=2e-5)
    largest = max(float(g.norm()) for g in wanted.values())
    for name, gradient in gradients.items():
        assert (gradient - wanted[name]).norm() <= 1e-4 * wanted[name].norm() + 1e-6 * largest, name
