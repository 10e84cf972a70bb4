"""What every model kind must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.inputs.base import ROOM as INPUTS
from deepfactor.models.base import ROOM as MODELS
from deepfactor.models.base import (
    WINDOWS,
    CrossSection,
    Shapes,
    inputs_of,
    parameter_count,
    summary,
)

ROOM = "deepfactor.models"
SHAPES = Shapes(features=6, window=30, widths={"fundamentals": 5, "quarters": 4, "exposures": 7, "day_features": 9})
STOCKS = 430  # more than a tile
#: Of an input whose tensors aren't one of its own name.
TENSORS = {"neighbours": ("neighbours", "similarity")}


@pytest.fixture(params=kinds_in(ROOM))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def build(kind: ModuleType, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return kind.build(kind.Settings(), SHAPES)


def day(seed: int = 1, b: int = STOCKS) -> CrossSection:
    generator = torch.Generator().manual_seed(seed)
    windows = torch.randn(SHAPES.window, b, SHAPES.features, generator=generator)
    size_rank = torch.randperm(b, generator=generator)
    fundamentals = torch.randn(SHAPES["quarters"], b, SHAPES["fundamentals"], generator=generator)
    exposures = torch.randn(b, SHAPES["exposures"], generator=generator)
    beside = {"size_rank": size_rank, "fundamentals": fundamentals, "exposures": exposures} | related(b, generator)
    return CrossSection(windows, beside | {"day_features": torch.randn(b, SHAPES["day_features"], generator=generator)})


def related(b: int, generator: torch.Generator, m: int = 8) -> dict[str, Tensor]:
    """Each stock itself, then some others; places left empty; the last stock is related to nobody."""
    index = torch.randint(-2, b, (b, m), generator=generator).clamp(min=-1)
    index[:, 0] = torch.arange(b)
    index[-1] = -1
    similarity = torch.rand(b, m, generator=generator).masked_fill(index < 0, 0.0)
    return {"neighbours": index, "similarity": similarity}


def tensors(batch: CrossSection) -> dict[str, Tensor]:
    """All that a batch holds."""
    return {"windows": batch.windows, **batch.inputs}


def reordered(batch: CrossSection, order: Tensor) -> CrossSection:
    """The same day, its stocks in another order."""
    index = batch["neighbours"][order]
    other = {name: batch[name][order] for name in ("size_rank", "exposures", "similarity", "day_features")}
    other["neighbours"] = torch.where(index < 0, index, torch.argsort(order)[index])
    other["fundamentals"] = batch["fundamentals"][:, order].contiguous()
    return CrossSection(batch.windows[:, order].contiguous(), other)


def turned(batch: CrossSection, name: str) -> CrossSection:
    """With another input of the same shape."""
    if name == "windows":
        return replace(batch, windows=batch.windows.flip(0))
    return replace(batch, inputs={**batch.inputs, **{one: batch[one].flip(0) for one in TENSORS.get(name, (name,))}})


def without(batch: CrossSection, name: str) -> CrossSection:
    gone = TENSORS.get(name, (name,))
    return replace(batch, inputs={one: value for one, value in batch.inputs.items() if one not in gone})


def information_coefficient(scores: Tensor, target: Tensor) -> Tensor:
    s, y = scores - scores.mean(), target - target.mean()
    return (s * y).sum() / (s.norm() * y.norm())


def test_the_room_is_not_empty():
    assert {"gru", "decomp_gru"} <= set(kinds_in(ROOM))


def test_inputs_are_known(kind):
    assert isinstance(kind.INPUTS, frozenset)
    assert kind.INPUTS
    assert inputs_of(MODELS.choose(kind.__name__.split(".")[-1])) == kind.INPUTS
    assert {WINDOWS, *INPUTS.kinds()} >= kind.INPUTS


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
    with torch.no_grad():
        torch.testing.assert_close(model(reordered(batch, order)), model(batch)[order], rtol=1e-4, atol=2e-6)


def test_it_reads_the_inputs_that_it_declares_and_no_others(kind):
    model, batch = build(kind).eval(), day()
    with torch.no_grad():
        scores = model(batch)
        for name in (WINDOWS, *INPUTS.kinds()):
            if name in kind.INPUTS:
                assert not torch.allclose(model(turned(batch, name)), scores)
            elif name == WINDOWS:  # it says how many stocks there are
                assert torch.equal(model(turned(batch, name)), scores)
            else:
                assert torch.equal(model(without(batch, name)), scores)


def test_gradient_reaches_every_parameter_but_the_last_bias(kind):
    model, batch = build(kind), day()
    signal = batch.windows[-5:].mean(dim=(0, 2)) + batch["fundamentals"].mean(dim=(0, 2))
    target = signal + torch.randn(STOCKS, generator=torch.Generator().manual_seed(3))
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
    before = {name: value.clone() for name, value in tensors(batch).items()}
    model(batch).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in tensors(batch).items())


def test_the_summary_adds_up(kind):
    model = build(kind)
    assert sum(count for _, count in summary(model)) == parameter_count(model) > 0
