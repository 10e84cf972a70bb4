"""Layers against torch's own and against loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.models._layers import PatchEmbedding, check_patches
from deepfactor.models.base import Shapes
from deepfactor.models.decomp_gru import SeparablePatchEmbedding, group_mean, moving_average, padded


@pytest.fixture
def windows() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(30, 7, 6, dtype=torch.float64)


def channels_first(windows: Tensor) -> Tensor:
    return windows.permute(1, 2, 0)  # (L, b, f) -> (b, f, L), as nn.Conv1d wants it


def randomise(module: nn.Module) -> None:
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn_like(p))


@pytest.mark.parametrize("patch", [3, 5])
def test_patch_embedding_is_conv1d_then_layer_norm(windows, patch):
    layer = PatchEmbedding(6, 16, patch).double()
    randomise(layer)
    expected = layer.norm(layer.conv(channels_first(windows)).permute(2, 0, 1))
    torch.testing.assert_close(layer(windows), expected, rtol=1e-12, atol=1e-12)


def test_separable_patch_embedding_is_depthwise_then_pointwise_then_layer_norm(windows):
    layer = SeparablePatchEmbedding(6, 16, 3).double()
    randomise(layer)
    expected = layer.norm(layer.pointwise(layer.depthwise(channels_first(windows))).permute(2, 0, 1))
    torch.testing.assert_close(layer(windows), expected, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(expected)
    parameters = list(layer.parameters())
    ours = torch.autograd.grad((layer(windows) * weight).sum(), parameters)
    theirs = torch.autograd.grad((expected * weight).sum(), parameters)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_embeddings_read_a_tile_of_a_larger_batch(windows):
    for layer in (PatchEmbedding(6, 8, 3).double(), SeparablePatchEmbedding(6, 8, 3).double()):
        torch.testing.assert_close(layer(windows[:, 2:5]), layer(windows)[:, 2:5])


def test_trend_is_the_mean_of_the_last_five_days(windows):
    smooth = moving_average(padded(windows, 5), 5)
    for t in range(30):
        days = [max(s, 0) for s in range(t - 4, t + 1)]  # before the window: its oldest day
        torch.testing.assert_close(smooth[t], windows[days].mean(dim=0), rtol=1e-12, atol=1e-12)


def test_the_last_days_trend_reads_only_the_last_five_days(windows):
    other = windows.clone()
    other[:-5] += torch.randn_like(other[:-5])
    assert torch.equal(moving_average(padded(other, 5), 5)[-1], moving_average(padded(windows, 5), 5)[-1])
    other[-5] += 1.0
    assert not torch.allclose(moving_average(padded(other, 5), 5)[-1], moving_average(padded(windows, 5), 5)[-1])


def test_the_padding_extends_the_oldest_day(windows):
    longer = torch.cat([windows[:1].expand(9, -1, -1), windows])
    torch.testing.assert_close(
        moving_average(padded(longer, 5), 5)[9:], moving_average(padded(windows, 5), 5), rtol=1e-12, atol=1e-12
    )


def test_group_mean_against_a_loop():
    torch.manual_seed(2)
    states = torch.randn(4, 23, 3, dtype=torch.float64)
    group = torch.randint(0, 4, (23,))  # the fifth group is empty
    expected = torch.empty_like(states)
    for t in range(4):
        for g in range(4):
            expected[t, group == g] = states[t, group == g].mean(dim=0)
    torch.testing.assert_close(group_mean(states, group, 5), expected, rtol=1e-12, atol=1e-12)


def test_group_mean_gradient():
    states = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: group_mean(x, torch.tensor([0, 1, 0, 2, 1, 1]), 3), states)


@pytest.mark.parametrize(("window", "patch"), [(150, 4), (2, 3), (100, 3)])
def test_a_window_that_patches_dont_fill_is_refused(window, patch):
    with pytest.raises(RecipeError, match=f"patch: patches of {patch} days don't fill a window of {window}"):
        check_patches(Shapes(features=6, window=window), patch)


def test_a_window_of_whole_patches_is_accepted():
    check_patches(Shapes(features=6, window=150), 3)
