"""The embedding folded into the GRU against embedding and GRU one after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from deepfactor.models._gru_op import gru_last, gru_steps, tiles
from deepfactor.models._layers import PatchEmbedding
from deepfactor.models._patch_gru import patch_gru_last, patch_gru_steps

WAYS = pytest.mark.parametrize(("folded", "apart"), [(patch_gru_last, gru_last), (patch_gru_steps, gru_steps)])


def case(features: int, patch: int, hidden: int, dtype: torch.dtype) -> tuple[PatchEmbedding, nn.GRU, Tensor]:
    torch.manual_seed(features)
    embedding, gru = PatchEmbedding(features, hidden, patch), nn.GRU(hidden, hidden)
    with torch.no_grad():
        for p in embedding.norm.parameters():
            p.add_(0.3 * torch.randn_like(p))
    windows = torch.randn(10 * patch, 401, features)
    return embedding.to(dtype), gru.to(dtype), windows.to(dtype)


def results(way, embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor) -> tuple[Tensor, list[Tensor]]:
    output = torch.cat(way(embedding, gru, tiles(windows)), dim=-2)
    weight = torch.randn(output.shape, generator=torch.Generator().manual_seed(3)).to(output.dtype)
    parameters = [*embedding.parameters(), *gru.parameters()]
    return output, list(torch.autograd.grad((output * weight).sum(), parameters))


def one_by_one(apart):
    return lambda embedding, gru, windows: [apart(gru, embedding(tile)) for tile in windows]


@WAYS
@pytest.mark.parametrize(("features", "patch", "hidden"), [(6, 3, 64), (1, 1, 16), (6, 5, 32)])
def test_the_same_function_in_float64(folded, apart, features, patch, hidden):
    given = case(features, patch, hidden, torch.float64)
    output, grads = results(folded, *given)
    expected, expected_grads = results(one_by_one(apart), *given)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    for ours, exact in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(ours, exact, rtol=0, atol=1e-11 * float(exact.abs().max()))


@WAYS
def test_float32_gradients_are_within_5e_6_of_float64(folded, apart):
    embedding, gru, windows = case(6, 3, 64, torch.float32)
    output, grads = results(folded, embedding, gru, windows)
    exact = results(one_by_one(apart), embedding.double(), gru.double(), windows.double())
    torch.testing.assert_close(output.double(), exact[0], rtol=0, atol=2e-6)
    for ours, expected in zip(grads, exact[1], strict=True):
        assert (ours.double() - expected).norm() <= 5e-6 * expected.norm()


@WAYS
def test_wide_patches_are_embedded_first(folded, apart):
    embedding, gru, windows = case(6, 3, 16, torch.float32)
    output, grads = results(folded, embedding, gru, windows)
    expected, expected_grads = results(one_by_one(apart), embedding, gru, windows)
    assert torch.equal(output, expected)
    assert all(torch.equal(a, b) for a, b in zip(grads, expected_grads, strict=True))


def test_windows_that_ask_for_a_gradient_get_it():
    embedding, gru, windows = case(6, 3, 64, torch.float64)
    windows = windows[:, :5].requires_grad_()
    (ours,) = torch.autograd.grad(patch_gru_last(embedding, gru, (windows,))[0].sum(), windows)
    (expected,) = torch.autograd.grad(gru(embedding(windows))[0][-1].sum(), windows)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


def test_a_window_of_zeros_is_finite():
    """LayerNorm's eps carries it: a stock without any data must not turn the whole batch into NaN."""
    embedding, gru, windows = case(6, 3, 64, torch.float32)
    with torch.no_grad():
        embedding.conv.bias.zero_()
    output, grads = results(patch_gru_last, embedding, gru, torch.zeros_like(windows))
    assert torch.isfinite(output).all()
    assert all(torch.isfinite(g).all() for g in grads)
