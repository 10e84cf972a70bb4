"""The compiled GRU, every path that this processor runs, against `torch.nn.GRU` in float64."""

from __future__ import annotations

import gc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from deepfactor.core.errors import UserError
from deepfactor.models import _fast, _kernels
from deepfactor.models._fast import gru_kernel
from deepfactor.models._fast.gru import TILE, bi_gru_steps, fitting, recur, tiles
from deepfactor.models._fast.gru_kernel import How
from support.compiled import gru_last, gru_steps, runnable

BUILT = pytest.mark.skipif(not runnable(), reason="the compiled GRU isn't built here")
WAYS = pytest.mark.parametrize("way", [gru_steps, gru_last])


@pytest.fixture(params=runnable())
def path(request, monkeypatch) -> str:
    monkeypatch.setenv(_kernels.VARIABLE, request.param)
    assert _kernels.choice().kernel.path == request.param
    return request.param


def stock(way, gru: nn.GRU, x: Tensor) -> Tensor:
    return gru(x)[0] if way is gru_steps else gru(x)[0][-1]


def gradients(output: Tensor, x: Tensor, gru: nn.GRU) -> list[Tensor]:
    weight = torch.randn(output.shape, generator=torch.Generator().manual_seed(5)).to(output.dtype)
    return list(torch.autograd.grad((output * weight).sum(), [x, *gru.parameters()]))


def assert_close_to_float64(way, steps: int, stocks: int, inputs: int, hidden: int) -> None:
    torch.manual_seed(stocks)
    gru, exact = nn.GRU(inputs, hidden), nn.GRU(inputs, hidden).double()
    exact.load_state_dict(gru.state_dict())
    x = torch.randn(steps, stocks, inputs, requires_grad=True)
    x64 = x.detach().double().requires_grad_()
    ours, expected = way(gru, x), stock(way, exact, x64)
    assert type(ours.grad_fn).__name__ == "KernelGRUBackward"
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(way(gru, x), ours)
    for ours_grad, exact_grad in zip(gradients(ours, x, gru), gradients(expected, x64, exact), strict=True):
        assert (ours_grad.double() - exact_grad).norm() <= 5e-6 * exact_grad.norm()


@WAYS
@pytest.mark.parametrize("hidden", [32, 48, 64, 128])
@pytest.mark.parametrize("inputs", [6, 18, 64, 100])
def test_outputs_and_gradients_equal_float64(path, way, hidden, inputs):
    assert_close_to_float64(way, 12, 101, inputs, hidden)


@WAYS
def test_outputs_and_gradients_equal_float64_over_a_whole_window(path, way):
    assert_close_to_float64(way, 50, 384, 64, 64)


@BUILT
@settings(max_examples=25, deadline=None)
@given(
    way=st.sampled_from([gru_steps, gru_last]),
    path=st.sampled_from(runnable() or ["none"]),
    steps=st.integers(1, 6),
    stocks=st.integers(1, 200),
    inputs=st.integers(1, 40),
    hidden=st.sampled_from([16, 32, 48, 80, 96, 112]),
)
def test_any_shape(way, path, steps, stocks, inputs, hidden):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_kernels.VARIABLE, path)
        assert_close_to_float64(way, steps, stocks, inputs, hidden)


@WAYS
def test_a_stock_is_independent_of_the_others_and_of_the_tile(path, way):
    torch.manual_seed(0)
    gru, x = nn.GRU(7, 32), torch.randn(5, 250, 7)
    with torch.no_grad():
        whole = way(gru, x)
        some = way(gru, x[:, 90:200])  # not dense: a step is followed by other stocks
    assert torch.equal(whole[..., 90:200, :], some)


@WAYS
def test_other_strides_than_dense(path, way):
    gru, x = nn.GRU(7, 32), torch.randn(20, 5, 7)
    with torch.no_grad():
        assert torch.equal(way(gru, x.transpose(0, 1)), way(gru, x.transpose(0, 1).contiguous()))


@WAYS
def test_saturated_gates_stay_finite_and_equal(path, way):
    torch.manual_seed(1)
    gru = nn.GRU(6, 16)
    x = (1e4 * torch.randn(20, 9, 6)).requires_grad_()
    ours = way(gru, x)
    # sums of 1e4 are rounded to 1e-3: what isn't saturated differs by that times the slope
    torch.testing.assert_close(ours, stock(way, gru, x), rtol=0, atol=1e-4)
    assert all(torch.isfinite(g).all() for g in gradients(ours, x, gru))


@pytest.mark.parametrize("bias", [2.0, 6.0, 10.0, 16.0])
def test_gradients_where_states_hardly_move_are_as_exact_as_those_of_torch(path, bias):
    """The candidate is made again from states that differ by (1 - z) of it."""
    torch.manual_seed(0)
    gru, exact = nn.GRU(7, 32), nn.GRU(7, 32).double()
    with torch.no_grad():
        gru.bias_ih_l0[32:64] += bias  # z: 0.88 to 1 - 1e-7
    exact.load_state_dict(gru.state_dict())
    x = torch.randn(50, 100, 7, requires_grad=True)
    x64 = x.detach().double().requires_grad_()
    expected = gradients(exact(x64)[0], x64, exact)
    ours, torchs = gradients(gru_steps(gru, x), x, gru), gradients(gru(x)[0], x, gru)
    for a, b, wanted in zip(ours, torchs, expected, strict=True):
        assert (a.double() - wanted).norm() <= 2.5 * (b.double() - wanted).norm() + 1e-6 * wanted.norm()


@WAYS
def test_missing_values_are_not_hidden(path, way):
    x = torch.zeros(3, 20, 6)
    x[1, 7, 2] = torch.nan
    with torch.no_grad():
        last = way(nn.GRU(6, 16), x).view(-1, 20, 16)[-1]
    assert last.isnan().all(1).nonzero().flatten().tolist() == [7]


@WAYS
def test_live_graphs_do_not_share_memory(path, way):
    torch.manual_seed(2)
    gru = nn.GRU(7, 32)
    x, y = (torch.randn(6, 50, 7, requires_grad=True) for _ in range(2))
    apart = [gradients(way(gru, each), each, gru) for each in (x, y)]
    first, second = way(gru, x), way(gru, y)  # the second forward runs before the first backward
    for output, given_x, expected in ((first, x, apart[0]), (second, y, apart[1])):
        assert all(torch.equal(a, b) for a, b in zip(gradients(output, given_x, gru), expected, strict=True))


@pytest.mark.slow
def test_memory_of_freed_graphs_is_used_again(path, monkeypatch):
    pool = gru_kernel._Pool()
    monkeypatch.setattr(gru_kernel, "_POOL", pool)
    gru, x = nn.GRU(5, 16), torch.randn(11, 130, 5)

    def live() -> int:
        return pool._live * 4

    output = gru_last(gru, x)
    needed = live()
    assert 1 <= needed / (4 * 11 * 130 * 3 * 16) < 1.125  # two gates and the state, rounded up
    del output
    gc.collect()
    assert live() == 0
    addresses = {m.data_ptr() for m in pool.idle}
    output = gru_last(gru, x[:, :100])
    assert not pool.idle
    del output
    assert {m.data_ptr() for m in pool.idle} == addresses
    for stocks in range(1, 130, 7):  # days differ in their number of stocks
        gru_last(gru, x[:, :stocks]).sum().backward()
    gc.collect()
    assert sum(m.numel() for m in pool.idle) * 4 <= needed


def test_days_of_about_as_many_stocks_share_memory():
    """Sizes of every kind, so that the heap isn't left full of holes that are a little too small."""
    sizes = {gru_kernel._rounded_up(50 * stocks * 256) for stocks in range(1900, 2600)}
    assert len(sizes) < 6
    for floats in (1, 15, 16, 17, 1000, 12345, 33_300_001):
        assert floats <= gru_kernel._rounded_up(floats) < 1.125 * floats + 1


def test_backward_can_be_repeated_on_a_retained_graph(path):
    gru, x = nn.GRU(5, 16), torch.randn(6, 13, 5)
    loss = gru_last(gru, x).square().sum()
    first = torch.autograd.grad(loss, list(gru.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(gru.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_overwriting_the_output_leaves_the_gradients_right(path):
    gru, x = nn.GRU(5, 16), torch.randn(6, 13, 5)
    wanted = torch.autograd.grad((gru_steps(gru, x) * 2.0).square().sum(), list(gru.parameters()))
    given = torch.autograd.grad(gru_steps(gru, x).mul_(2.0).square().sum(), list(gru.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(wanted, given, strict=True))


def test_off_leaves_it_to_the_stock_layers(monkeypatch):
    monkeypatch.setenv(_kernels.VARIABLE, "off")
    assert _kernels.choice().kernel is None
    assert _fast.gru_last(nn.GRU(6, 32), torch.randn(9, 40, 6)) is None


@BUILT
@pytest.mark.parametrize(("dtype", "hidden"), [(torch.float64, 32), (torch.float32, 24)])
def test_what_the_library_cannot_compute_is_left_to_the_stock_layers(monkeypatch, dtype, hidden):
    monkeypatch.setenv(_kernels.VARIABLE, "auto")
    gru, x = nn.GRU(6, hidden).to(dtype), torch.randn(4, 5, 6, dtype=dtype)
    assert _fast.gru_last(gru, x) is None
    with pytest.raises(UserError, match='precision = "bf16" needs the compiled GRU: it takes float32'):
        fitting(x, hidden, How(bf16=True))


def test_without_the_library_models_run_on_stock_layers(monkeypatch):
    _kernels._choice.cache_clear()
    monkeypatch.setattr(_kernels, "_library", lambda: (None, "the library wasn't built"))
    try:
        monkeypatch.setenv(_kernels.VARIABLE, "auto")
        assert _kernels.choice() == _kernels.Choice(None, "the library wasn't built")
        monkeypatch.setenv(_kernels.VARIABLE, "avx2")
        with pytest.raises(UserError, match="DEEPFACTOR_KERNELS=avx2, but the library wasn't built"):
            _kernels.choice()
    finally:
        _kernels._choice.cache_clear()


def test_unknown_names_are_refused(monkeypatch):
    monkeypatch.setenv(_kernels.VARIABLE, "fast")
    with pytest.raises(UserError, match="'fast': it is one of auto, off, avx512, avx2, portable"):
        _kernels.choice()


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("inputs", [7, 32])
def test_both_directions_and_layers_equal_float64(path, layers, inputs):
    torch.manual_seed(layers)
    gru = nn.GRU(inputs, 48, num_layers=layers, bidirectional=True, dropout=0.5 if layers > 1 else 0.0).eval()
    exact = nn.GRU(inputs, 48, num_layers=layers, bidirectional=True).double()
    exact.load_state_dict(gru.state_dict())
    x = torch.randn(11, 101, inputs, requires_grad=True)
    x64 = x.detach().double().requires_grad_()
    ours, expected = bi_gru_steps(gru, x), exact(x64)[0]
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(bi_gru_steps(gru, x), ours)
    for ours_grad, exact_grad in zip(gradients(ours, x, gru), gradients(expected, x64, exact), strict=True):
        assert (ours_grad.double() - exact_grad).norm() <= 5e-6 * exact_grad.norm()


def test_dropout_between_layers_only_in_training(path):
    torch.manual_seed(0)
    gru, x = nn.GRU(8, 16, num_layers=2, bidirectional=True, dropout=0.5), torch.randn(5, 40, 8)
    torch.manual_seed(1)
    ours = bi_gru_steps(gru, x)
    below = nn.GRU(8, 16, bidirectional=True)
    below.load_state_dict({k: v for k, v in gru.state_dict().items() if "_l0" in k})
    above = nn.GRU(32, 16, bidirectional=True)
    above.load_state_dict({k.replace("_l1", "_l0"): v for k, v in gru.state_dict().items() if "_l1" in k})
    torch.manual_seed(1)
    expected = above(nn.functional.dropout(below(x)[0], 0.5, training=True))[0]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    assert not torch.allclose(ours, bi_gru_steps(gru.eval(), x))


@pytest.mark.parametrize(
    "other", [{}, {"bidirectional": True, "batch_first": True}, {"bidirectional": True, "bias": False}]
)
def test_other_grus_are_refused_by_bi_gru_steps_steps(other):
    with pytest.raises(ValueError, match="bi_gru_steps takes a bidirectional"):
        bi_gru_steps(nn.GRU(3, 16, **other), torch.randn(2, 4, 3))


def test_the_reverse_last_state_is_that_of_the_first_step(path):
    gru, x = nn.GRU(7, 32, bidirectional=True), torch.randn(6, 50, 7)
    backwards, kernel = tuple(gru.parameters())[4:], fitting(x, 32)
    torch.testing.assert_close(recur(kernel, x, backwards, how=How(reverse=True)), gru(x)[1][1], rtol=0, atol=1e-6)


@WAYS
def test_the_same_bits_at_any_number_of_threads(path, way):
    torch.manual_seed(3)
    gru, x, seen = nn.GRU(19, 64), torch.randn(8, 500, 19, requires_grad=True), []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            output = way(gru, x)
            seen.append([output, *gradients(output, x, gru)])
    finally:
        torch.set_num_threads(before)
    for other in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], other, strict=True))


def test_more_than_one_layer_or_direction_is_refused(path):
    for gru in (nn.GRU(3, 16, num_layers=2), nn.GRU(3, 16, bidirectional=True)):
        with pytest.raises(ValueError, match="too many values"):
            _fast.gru_last(gru, torch.zeros(4, 2, 3))


def test_tiles_cover_the_stocks_in_order_without_copies():
    x = torch.randn(3, 2 * TILE + 1, 2)
    cut = tiles(x)
    assert [tile.shape[1] for tile in cut] == [TILE, TILE, 1]
    assert torch.equal(torch.cat(cut, dim=1), x)
    assert all(tile.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() for tile in cut)
