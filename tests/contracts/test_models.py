"""What every model kind must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.models.base import CROSS_SECTION_INPUTS, CrossSection, Shapes, parameter_count, summary

ROOM = "deepfactor.models"
SHAPES = Shapes(features=6, window=30)
STOCKS = 430  # more than a tile


@pytest.fixture(params=kinds_in(ROOM))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def build(kind: ModuleType, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return kind.build(kind.Settings(), SHAPES)


def day(seed: int = 1, b: int = STOCKS) -> CrossSection:
    generator = torch.Generator().manual_seed(seed)
    windows = torch.randn(SHAPES.window, b, SHAPES.features, generator=generator)
    return CrossSection(windows, torch.randperm(b, generator=generator))


def information_coefficient(scores: Tensor, target: Tensor) -> Tensor:
    s, y = scores - scores.mean(), target - target.mean()
    return (s * y).sum() / (s.norm() * y.norm())


def test_the_room_is_not_empty():
    assert {"gru", "decomp_gru"} <= set(kinds_in(ROOM))


def test_inputs_are_known(kind):
    assert isinstance(kind.INPUTS, frozenset)
    assert kind.INPUTS
    assert kind.INPUTS <= CROSS_SECTION_INPUTS


def test_one_finite_score_a_stock_that_tells_stocks_apart(kind):
    model = build(kind)
    for b in (STOCKS, 1, 3):
        scores = model(day(b=b))
        assert scores.shape == (b,)
        assert scores.dtype == torch.float32
        assert torch.isfinite(scores).all()
    assert model(day()).std() > 0


def test_the_order_of_the_stocks_does_not_matter(kind):
    model, batch = build(kind).eval(), day()
    order = torch.randperm(STOCKS, generator=torch.Generator().manual_seed(2))
    shuffled = CrossSection(batch.windows[:, order].contiguous(), batch.size_rank[order])
    with torch.no_grad():
        torch.testing.assert_close(model(shuffled), model(batch)[order], rtol=1e-4, atol=2e-6)


def test_it_reads_the_inputs_that_it_declares_and_no_others(kind):
    model, batch = build(kind).eval(), day()
    present = {f.name for f in fields(CrossSection)}
    with torch.no_grad():
        scores = model(batch)
        for name in present - {"windows"}:
            if name in kind.INPUTS:
                other = replace(batch, **{name: getattr(batch, name).flip(0)})
                assert not torch.allclose(model(other), scores)
            else:
                assert torch.equal(model(replace(batch, **{name: None})), scores)


def test_gradient_reaches_every_parameter_but_the_last_bias(kind):
    model, batch = build(kind), day()
    target = batch.windows[-5:].mean(dim=(0, 2)) + torch.randn(STOCKS, generator=torch.Generator().manual_seed(3))
    (-information_coefficient(model(batch), target)).backward()
    sizes = {name: float(p.grad.norm()) for name, p in model.named_parameters()}
    *rest, last = sizes
    assert last.endswith("bias")
    assert sizes[last] < 1e-5 * max(sizes.values())  # the IC does not see a score's level
    assert min(sizes[name] for name in rest) > 1e-4 * max(sizes.values()), sizes


def test_training_and_inference_agree_and_repeat(kind):
    model, batch = build(kind).eval(), day()
    first = model(batch)
    with torch.no_grad():
        model(day(seed=7))  # another day in between leaves nothing behind
        quiet = model(batch)
        assert torch.equal(model(batch), quiet)
    torch.testing.assert_close(quiet, first.detach(), rtol=0, atol=1e-6)
    gradients = []
    for _ in range(2):
        model.zero_grad()
        model(batch).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_the_seed_alone_decides_the_start(kind):
    one, same, other = build(kind, 5).state_dict(), build(kind, 5).state_dict(), build(kind, 6).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_weights_survive_a_file(kind, tmp_path: Path):
    model, fresh, batch = build(kind, 0).eval(), build(kind, 1).eval(), day()
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    with torch.no_grad():
        assert not torch.equal(fresh(batch), model(batch))
        fresh.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        assert torch.equal(fresh(batch), model(batch))


def test_a_batch_is_not_written_to(kind):
    model, batch = build(kind), day()
    before = CrossSection(batch.windows.clone(), batch.size_rank.clone())
    model(batch).sum().backward()
    assert torch.equal(batch.windows, before.windows)
    assert torch.equal(batch.size_rank, before.size_rank)


def test_the_summary_adds_up(kind):
    model = build(kind)
    assert sum(count for _, count in summary(model)) == parameter_count(model) > 0
