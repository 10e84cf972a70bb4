"""Layers that several models share. Sequences are time first: (steps, b, width)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.models.base import Shapes

TREND_DAYS = 5
"""Length of the moving average that splits a window into trend and residual (Study B)."""


def check_patches(shapes: Shapes, patch: int) -> None:
    """Raise `RecipeError` unless the window is a whole number of patches."""
    if shapes.window < patch or shapes.window % patch:
        raise RecipeError(
            f"patches of {patch} days don't fill a window of {shapes.window}: it must be a multiple of the patch",
            key="patch",
        )


def patches(windows: Tensor, days: int) -> Tensor:
    """(L, b, f) cut into patches of `days` days: (p, b, days * f), in a patch the oldest day's features first."""
    length, b, f = windows.shape
    p = length // days
    return windows.view(p, days, b, f).transpose(1, 2).reshape(p, b, days * f)


def patches_and_one(windows: Tensor, days: int) -> Tensor:
    """`patches` with a one behind each, which meets the bias: (p, b, days * f + 1)."""
    length, b, f = windows.shape
    p = windows.new_ones(length // days, b, days * f + 1)
    p[..., :-1].view(-1, b, days, f).copy_(windows.view(-1, days, b, f).transpose(1, 2))
    return p


def centred(weight: Tensor, bias: Tensor) -> Tensor:
    """Convolution `weight` (d, f, patch), `bias` (d,) as one matrix for `patches_and_one`, centred over d: (d, k).

    What it makes of a patch is the convolution less its mean over the hidden units, as LayerNorm wants it.
    """
    joint = torch.cat([weight.transpose(1, 2).flatten(1), bias[:, None]], dim=1)
    return joint - joint.mean(dim=0)


class PatchEmbedding(nn.Module):
    """Conv1d whose kernel is its stride (a patch), then LayerNorm: (L, b, f) -> (p, b, d).

    The convolution's parameters are those of `nn.Conv1d`; it is computed as one matrix product over the patches.
    """

    def __init__(self, features: int, hidden: int, patch: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(features, hidden, kernel_size=patch, stride=patch)
        self.norm = nn.LayerNorm(hidden)
        self.patch = patch

    def forward(self, windows: Tensor) -> Tensor:
        """Embed standardised `windows` (L, b, f) into (p, b, d)."""
        return _embed(windows, self.conv.weight, self.conv.bias, self.norm, self.patch)


class SeparablePatchEmbedding(nn.Module):
    """Depthwise Conv1d (one filter a feature, kernel = stride = patch), pointwise, LayerNorm: (L, b, f) -> (p, b, d).

    Nothing non-linear stands between the two convolutions, so they are computed as the one convolution that they make.
    """

    def __init__(self, features: int, hidden: int, patch: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(features, features, kernel_size=patch, stride=patch, groups=features)
        self.pointwise = nn.Conv1d(features, hidden, kernel_size=1)
        self.norm = nn.LayerNorm(hidden)
        self.patch = patch

    def forward(self, windows: Tensor) -> Tensor:
        """Embed standardised `windows` (L, b, f) into (p, b, d)."""
        weight, bias = self.joint()
        return _embed(windows, weight, bias, self.norm, self.patch)

    def joint(self) -> tuple[Tensor, Tensor]:
        """Weight (d, f, patch) and bias (d,) of the one convolution that the two make."""
        weight = self.pointwise.weight * self.depthwise.weight.squeeze(1)
        nothing = weight.new_zeros(weight.shape[1], self.patch)
        return weight, self.pointwise(self.depthwise(nothing)).squeeze(1)


def _embed(windows: Tensor, weight: Tensor, bias: Tensor | None, norm: nn.LayerNorm, patch: int) -> Tensor:
    """LayerNorm of the convolution of `windows` (L, b, f) by `weight` (d, f, patch) with stride `patch`: (p, b, d)."""
    flat = weight.transpose(1, 2).reshape(weight.shape[0], -1)  # (d, patch * f), in the order of `patches`
    embedded: Tensor = norm(nn.functional.linear(patches(windows, patch), flat, bias))  # (p, b, d)
    return embedded


def trend(windows: Tensor) -> Tensor:
    """Moving average of the last `TREND_DAYS` days at every day: (L, b, f) -> (L, b, f).

    Before the window's first day its oldest value is repeated, so the padding sits at the far end only and day t's mean
    reads days t-4 ... t: the last day's reads the last five (Study B, DecompGRU).
    """
    length = windows.shape[0]
    padded = torch.cat([windows[:1].expand(TREND_DAYS - 1, -1, -1), windows])  # (L + 4, b, f)
    total = padded[:length] + padded[1 : length + 1]
    for lag in range(2, TREND_DAYS):
        total += padded[lag : length + lag]
    return total / TREND_DAYS


def size_group(size_rank: Tensor, groups: int) -> Tensor:
    """SIZE group of every stock, 0 (smallest) to `groups` - 1: (b,) int64; the groups' sizes differ by one at most.

    `size_rank` (b,) runs from 0 (smallest) to b - 1.
    """
    return size_rank * groups // size_rank.shape[0]


def subtract_group_mean(states: Sequence[Tensor], member: Tensor) -> list[Tensor]:
    """States less, at every step, the mean of their group over the day's stocks.

    Parameters
    ----------
    states : tiles (p, n, d) of the batch, in the order of its stocks
        cut along the stocks; their n add up to b.
    member : (b, G)
        1 where the stock is of the group, else 0. A stock of no group keeps its state; a group of one becomes 0.
    """
    steps, sizes = states[0].shape[0], [tile.shape[1] for tile in states]
    share = member / member.sum(dim=0).clamp(min=1.0)
    sums = [_by_step(w.t(), steps).bmm(tile) for w, tile in zip(torch.split(share, sizes), states, strict=True)]
    means = torch.stack(sums).sum(dim=0)  # (p, G, d)
    return [
        torch.baddbmm(tile, _by_step(m, steps), means, alpha=-1.0)
        for m, tile in zip(torch.split(member, sizes), states, strict=True)
    ]


def _by_step(matrix: Tensor, steps: int) -> Tensor:
    """The same (k, m) matrix for every step, not copied: (steps, k, m)."""
    return matrix.expand(steps, -1, -1)
