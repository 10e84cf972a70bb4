"""The embedding folded into the GRU against embedding and GRU one after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from deepfactor.models._fast import patch_gru_last, patch_gru_steps
from deepfactor.models._layers import PatchEmbedding
from support.compiled import runnable

pytestmark = pytest.mark.skipif(not runnable(), reason="the compiled GRU isn't built here")


def folded_steps(embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor) -> Tensor:
    return torch.cat(patch_gru_steps(embedding, gru, windows), dim=1)


def steps(embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor) -> Tensor:
    return gru(embedding(windows))[0]


def last(embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor) -> Tensor:
    return gru(embedding(windows))[0][-1]


WAYS = pytest.mark.parametrize(("folded", "apart"), [(patch_gru_last, last), (folded_steps, steps)])


def case(features: int, patch: int, hidden: int, dtype: torch.dtype) -> tuple[PatchEmbedding, nn.GRU, Tensor]:
    torch.manual_seed(features)
    embedding, gru = PatchEmbedding(features, hidden, patch), nn.GRU(hidden, hidden)
    with torch.no_grad():
        for p in embedding.norm.parameters():
            p.add_(0.3 * torch.randn_like(p))
    windows = torch.randn(10 * patch, 401, features)
    return embedding.to(dtype), gru.to(dtype), windows.to(dtype)


def results(way, embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor) -> tuple[Tensor, list[Tensor]]:
    output = way(embedding, gru, windows)
    weight = torch.randn(output.shape, generator=torch.Generator().manual_seed(3)).to(output.dtype)
    parameters = [*embedding.parameters(), *gru.parameters()]
    return output, list(torch.autograd.grad((output * weight).sum(), parameters))


@WAYS
def test_float32_gradients_are_within_5e_6_of_float64(folded, apart):
    embedding, gru, windows = case(6, 3, 64, torch.float32)
    output, grads = results(folded, embedding, gru, windows)
    exact = results(apart, embedding.double(), gru.double(), windows.double())
    torch.testing.assert_close(output.double(), exact[0], rtol=0, atol=2e-6)
    for ours, expected in zip(grads, exact[1], strict=True):
        assert (ours.double() - expected).norm() <= 5e-6 * expected.norm()


@WAYS
def test_wide_patches_are_embedded_first(folded, apart):
    embedding, gru, windows = case(6, 3, 16, torch.float32)
    output, grads = results(folded, embedding, gru, windows)
    expected, expected_grads = results(apart, embedding.double(), gru.double(), windows.double())
    torch.testing.assert_close(output.double(), expected, rtol=0, atol=2e-6)
    for ours, exact in zip(grads, expected_grads, strict=True):
        assert (ours.double() - exact).norm() <= 5e-6 * exact.norm()


def test_windows_that_ask_for_a_gradient_are_left_to_the_stock_layers():
    embedding, gru, windows = case(6, 3, 64, torch.float32)
    assert patch_gru_last(embedding, gru, windows.requires_grad_()) is None


def test_a_window_of_zeros_is_finite():
    """LayerNorm's eps carries it: a stock without any data must not turn the whole batch into NaN."""
    embedding, gru, windows = case(6, 3, 64, torch.float32)
    with torch.no_grad():
        embedding.conv.bias.zero_()
    output, grads = results(patch_gru_last, embedding, gru, torch.zeros_like(windows))
    assert torch.isfinite(output).all()
    assert all(torch.isfinite(g).all() for g in grads)
