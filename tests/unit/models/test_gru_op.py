"""The GRU node against `torch.nn.GRU`, which has the same parameters."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from deepfactor.models._gru_op import TILE, gru_last, gru_steps, tiles


def stock_steps(gru: nn.GRU, x: Tensor) -> Tensor:
    return gru(x)[0]


def stock_last(gru: nn.GRU, x: Tensor) -> Tensor:
    return gru(x)[1][0]


WAYS = pytest.mark.parametrize(("ours", "stock"), [(gru_steps, stock_steps), (gru_last, stock_last)])


def case(steps: int, stocks: int, inputs: int, hidden: int) -> tuple[nn.GRU, nn.GRU, Tensor]:
    """A float32 GRU, the same in float64, an input."""
    torch.manual_seed(steps + stocks)
    gru, exact = nn.GRU(inputs, hidden), nn.GRU(inputs, hidden).double()
    exact.load_state_dict(gru.state_dict())
    return gru, exact, torch.randn(steps, stocks, inputs)


def gradients(way, gru: nn.GRU, x: Tensor) -> dict[str, Tensor]:
    x = x.clone().requires_grad_()
    gru.zero_grad()
    output = way(gru, x)
    torch.manual_seed(9)
    (output * torch.randn(output.shape).to(output.dtype)).sum().backward()
    return {"x": x.grad, **{name: p.grad.clone() for name, p in gru.named_parameters()}}


@WAYS
@pytest.mark.parametrize("shape", [(50, 70, 64, 64), (7, 33, 5, 16), (1, 4, 3, 8), (4, 1, 3, 8)])
def test_output_equals_nn_gru(ours, stock, shape):
    gru, exact, x = case(*shape)
    expected = stock(exact, x.double())
    torch.testing.assert_close(ours(gru, x).double(), expected, rtol=0, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(ours(gru, x).double(), expected, rtol=0, atol=1e-6)


@WAYS
@pytest.mark.parametrize("shape", [(50, 70, 64, 64), (7, 33, 5, 16)])
def test_float32_gradients_are_within_5e_6_of_float64(ours, stock, shape):
    gru, exact, x = case(*shape)
    expected = gradients(stock, exact, x.double())
    for name, grad in gradients(ours, gru, x).items():
        error = (grad.double() - expected[name]).norm() / expected[name].norm()
        assert error < 5e-6, f"{name}: {error:.1e}"


@WAYS
def test_gradcheck(ours, stock):
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return ours(self.gru, x)

    torch.manual_seed(8)
    holder = Holder().double()
    x = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
    names, weights = zip(*holder.named_parameters(), strict=True)

    def output(x: Tensor, *weights: Tensor) -> Tensor:
        return torch.func.functional_call(holder, dict(zip(names, weights, strict=True)), (x,))

    assert torch.autograd.gradcheck(output, (x, *weights))


@WAYS
def test_saturated_gates_stay_finite_and_equal(ours, stock):
    gru, exact, x = case(20, 8, 6, 16)
    expected = stock(exact, 1e4 * x.double())
    torch.testing.assert_close(ours(gru, 1e4 * x).double(), expected, rtol=0, atol=1e-6)
    assert all(torch.isfinite(g).all() for g in gradients(ours, gru, 1e4 * x).values())


def test_two_graphs_can_live_at_once():
    gru, _, x = case(6, 5, 3, 8)
    y = torch.randn_like(x)
    apart = [gradients(gru_steps, gru, each)["weight_hh_l0"] for each in (x, y)]
    first, second = gru_steps(gru, x), gru_steps(gru, y)  # the second forward runs before the first backward
    for output, expected in ((first, apart[0]), (second, apart[1])):
        gru.zero_grad()
        torch.manual_seed(9)
        (output * torch.randn(output.shape)).sum().backward()
        assert torch.equal(gru.weight_hh_l0.grad, expected)


def test_backward_can_be_repeated_on_a_retained_graph():
    gru, _, x = case(6, 5, 3, 8)
    loss = gru_last(gru, x).square().sum()
    first = torch.autograd.grad(loss, list(gru.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(gru.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_overwriting_the_output_is_forbidden():
    """The output of all steps is the memory that backward reads."""
    gru, _, x = case(6, 5, 3, 8)
    with pytest.raises(RuntimeError, match="being modified inplace"):
        gru_steps(gru, x).mul_(2.0)


def test_more_than_one_layer_or_direction_is_refused():
    x = torch.zeros(4, 2, 3)
    for gru in (nn.GRU(3, 8, num_layers=2), nn.GRU(3, 8, bidirectional=True)):
        with pytest.raises(ValueError, match="too many values"):
            gru_last(gru, x)


def test_tiles_cover_the_stocks_in_order_without_copies():
    x = torch.randn(3, 2 * TILE + 1, 2)
    cut = tiles(x)
    assert [tile.shape[1] for tile in cut] == [TILE, TILE, 1]
    assert torch.equal(torch.cat(cut, dim=1), x)
    assert all(tile.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() for tile in cut)
