"""Products in bfloat16: every path that this processor runs against steps in torch that round the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from deepfactor.models import (
    _kernels,
    bi_agru,
    bi_agru_gat,
    composite,
    cross_gru,
    cross_gru2,
    decomp_gru,
    fundamental_gru,
    gru,
    late_fusion_gru,
)
from deepfactor.models._fast.gru import bi_gru_steps
from deepfactor.models._rounded import GRU
from deepfactor.models.base import CrossSection, Shapes
from support.compiled import BF16, gru_last, gru_steps, rounded_gru, runnable

WAYS = pytest.mark.parametrize("way", [gru_steps, gru_last])


ON_A_GPU = [gru, decomp_gru, cross_gru, cross_gru2, late_fusion_gru, bi_agru, composite, fundamental_gru]
"""All networks but `bi_agru_gat`, whose sparse sums have no form without numbers."""

WIDTHS = {"day_features": 3, "fundamentals": 5, "quarters": 12}


def beside(stocks: int) -> dict[str, Tensor]:
    """What a day of so many stocks holds beside windows: an input for each model here."""
    return {
        "size_rank": torch.randperm(stocks),
        "day_features": torch.randn(stocks, 3),
        "fundamentals": torch.randn(12, stocks, 5),
        "neighbours": torch.randint(stocks, (stocks, 4)),
        "similarity": torch.rand(stocks, 4),
    }


@pytest.fixture(params=runnable())
def path(request, monkeypatch) -> str:
    monkeypatch.setenv(_kernels.VARIABLE, request.param)
    return request.param


def gradients(output: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    weight = torch.randn(output.shape, generator=torch.Generator().manual_seed(5)).to(output.dtype)
    return list(torch.autograd.grad((output * weight).sum(), inputs))


def distance(ours: Tensor, wanted: Tensor) -> float:
    ours, wanted = ours.detach().double(), wanted.detach().double()
    return float((ours - wanted).norm() / wanted.norm())


@WAYS
@pytest.mark.parametrize(("inputs", "hidden", "stocks"), [(1, 16, 3), (7, 48, 101), (19, 64, 98), (64, 64, 97)])
def test_one_step_equals_the_product_of_rounded_numbers(path, way, inputs, hidden, stocks):
    """One step sums the same rounded operands in float64: all that differs is the order of float32 sums."""
    torch.manual_seed(stocks)
    network, x = nn.GRU(inputs, hidden), torch.randn(1, stocks, inputs)
    exact = nn.GRU(inputs, hidden).double()
    exact.load_state_dict(network.state_dict())
    exact.weight_ih_l0.data = network.weight_ih_l0.data.bfloat16().double()
    expected = exact(x.bfloat16().double())[0]
    ours = way(network, x, BF16).view(1, stocks, hidden)
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=1e-6)
    assert distance(way(network, x).view(1, stocks, hidden), expected) > 1e-4  # float32 does not round


@WAYS
@pytest.mark.parametrize(("inputs", "hidden", "stocks"), [(7, 48, 101), (19, 64, 98), (64, 64, 97), (32, 112, 5)])
def test_paths_equal_rounded_steps(path, way, inputs, hidden, stocks):
    """A sum off in its last bit may round a state to the next bfloat16, hence the bounds."""
    torch.manual_seed(stocks)
    network, x = nn.GRU(inputs, hidden), torch.randn(8, stocks, inputs, requires_grad=True)
    everything = [x, *network.parameters()]
    ours = way(network, x, BF16)
    ours_gradients = gradients(ours, everything)
    plain_gradients = gradients(way(network, x), everything)
    with torch.no_grad():
        assert torch.equal(way(network, x, BF16), ours)
    emulated = rounded_gru(network, x)
    emulated = emulated if way is gru_steps else emulated[-1]
    assert distance(ours, emulated) < 1e-4
    for a, plain, b in zip(ours_gradients, plain_gradients, gradients(emulated, everything), strict=True):
        assert distance(a, b) < 5e-4
        assert 1e-4 < distance(plain, b) < 3e-2


@pytest.mark.parametrize("kind", [*ON_A_GPU, bi_agru_gat])
def test_models_take_it_and_stay_close_to_float32(path, kind, monkeypatch):
    monkeypatch.setattr(nn, "ReLU", nn.Tanh)  # a unit that is on in one and off in the other is a jump, not a distance
    shapes = Shapes(features=4, window=30, widths=WIDTHS)
    torch.manual_seed(1)
    settings = [kind.Settings(hidden=32, precision=name) for name in ("float32", "bf16")]
    networks = [kind.build(one, shapes).eval() for one in settings]  # no dropout
    networks[1].load_state_dict(networks[0].state_dict())
    day = CrossSection(torch.randn(30, 150, 4), beside(150))
    plain, rounded = (network(day) for network in networks)
    assert 1e-5 < distance(rounded - rounded.mean(), plain - plain.mean()) < 3e-2
    parameters = [list(network.parameters()) for network in networks]
    for a, b in zip(gradients(rounded, parameters[1]), gradients(plain, parameters[0]), strict=True):
        assert distance(a, b) < 5e-2
    assert torch.equal(networks[1](day), rounded)


def test_torch_operations_of_a_gpu_are_rounded_steps():
    """Without the kernel, which a GPU can't run: the same rounding, from a state that is given, too."""
    torch.manual_seed(2)
    network, x = GRU(7, 24, "bf16"), torch.randn(8, 31, 7, requires_grad=True)
    everything = [x, *network.parameters()]
    ours, last = network(x)
    assert torch.equal(last[0], ours[-1])
    emulated = rounded_gru(network, x)
    torch.testing.assert_close(ours, emulated, rtol=0, atol=1e-6)
    for a, b in zip(gradients(ours, everything), gradients(emulated, everything), strict=True):
        assert distance(a, b) < 1e-4
    torch.testing.assert_close(network(x[5:], network(x[:5])[1])[0], ours[5:], rtol=0, atol=1e-6)
    plain = GRU(7, 24, "float32")
    plain.load_state_dict(network.state_dict())
    assert 1e-4 < distance(ours, plain(x)[0]) < 3e-2


def test_torch_operations_of_a_gpu_go_both_ways_through_layers(path):
    """As the compiled kernel does, from no state; a state that is given is each direction's of each layer."""
    torch.manual_seed(3)
    network, x = GRU(16, 16, "bf16", layers=2, bidirectional=True), torch.randn(6, 20, 16)
    states, last = network(x)
    assert (states.shape, last.shape) == ((6, 20, 32), (4, 20, 16))
    assert distance(states, bi_gru_steps(network, x, BF16)) < 1e-3
    assert torch.equal(last[2:], torch.stack([states[-1, :, :16], states[0, :, 16:]]))
    plain = GRU(16, 16, "float32", layers=2, bidirectional=True)
    plain.load_state_dict(network.state_dict())
    given = torch.randn(4, 20, 16)
    for ours, wanted in zip(network(x, given), plain(x, given), strict=True):
        assert 1e-4 < distance(ours, wanted) < 3e-2


@pytest.mark.parametrize("kind", ON_A_GPU)
def test_models_take_it_on_a_gpu(kind):
    """On torch's meta device, which has shapes and types alone: the compiled kernel isn't asked for, nor refused."""
    shapes = Shapes(features=4, window=15, widths=WIDTHS)
    network = kind.build(kind.Settings(hidden=8, precision="bf16"), shapes).to("meta")
    day = CrossSection(
        torch.randn(15, 15, 4, device="meta"), {name: one.to("meta") for name, one in beside(15).items()}
    )
    scores = network(day)
    assert (scores.shape, scores.dtype) == ((15,), torch.float32)
    scores.sum().backward()
    assert all(one.grad.dtype == torch.float32 for one in network.parameters())


def test_both_directions(path):
    torch.manual_seed(0)
    network, x = nn.GRU(7, 32, bidirectional=True), torch.randn(6, 50, 7)
    ways = [nn.GRU(7, 32), nn.GRU(7, 32)]
    for way, end in zip(ways, ("", "_reverse"), strict=True):
        way.load_state_dict({name: network.state_dict()[name + end] for name in way.state_dict()})
    expected = torch.cat([rounded_gru(ways[0], x), rounded_gru(ways[1], x.flip(0)).flip(0)], dim=2)
    assert distance(bi_gru_steps(network, x, BF16), expected) < 2e-4


def test_the_default_is_float32():
    assert gru.Settings().precision == decomp_gru.Settings().precision == "float32"
