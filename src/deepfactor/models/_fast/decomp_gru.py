"""DecompGRU by the compiled GRU: averages, group means and the residual branch inside the two recurrences."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from deepfactor.models._fast.gru import fitting, one_layer
from deepfactor.models._fast.gru_kernel import How
from deepfactor.models._fast.patch_gru import centred, folds, patches, split_gru
from deepfactor.models._fast.relative_gru import Groups, Side, relative_gru, relative_step
from deepfactor.models._layers import PatchEmbedding


class Separable(Protocol):
    """A residual branch: two convolutions with nothing non-linear between them, then LayerNorm."""

    depthwise: nn.Conv1d
    pointwise: nn.Conv1d
    norm: nn.LayerNorm


class Branches(Protocol):
    """What is read of a DecompGRU. `trend_days` = length of the moving average; 1 = no split, or one made before."""

    trend_embedding: PatchEmbedding
    trend_days: int
    split_before: bool

    @property
    def trend_gru(self) -> nn.GRU: ...
    @property
    def gru(self) -> nn.GRU: ...
    @property
    def residual_embedding(self) -> Separable | None: ...


def decomp_gru_states(
    network: Branches,
    windows: Tensor,
    group: Tensor | None,
    groups: int,
    how: How = How(),
    *,
    steps: int | None = None,
) -> Tensor | None:
    """States of the second GRU: windows (L, b, f), or (L, b, 2f) that were split before, -> the last one (b, d), or the
    last `steps` (steps, b, d).

    `group` int64 is the group of each stock, 0 … `groups` - 1, whose mean it is compared with: (b,) of a day, or (p, b)
    of each patch's with -1 = of none. None: nobody is compared.
    """
    embedding, residual = network.trend_embedding, network.residual_embedding
    kernel = fitting(windows, network.gru.hidden_size, how)
    slow, apart = windows.chunk(2, dim=2) if network.split_before else (windows, None)
    if kernel is None or not folds(embedding, slow):
        return None
    rest = residual is not None
    first, fast = split_gru(kernel, embedding, network.trend_gru, slow, network.trend_days, rest=rest and apart is None)
    if rest and apart is not None:
        fast = patches(apart, embedding.patch)
    side = None
    if residual is not None and fast is not None:
        side = Side(fast, centred(*_joint(residual)), residual.norm.weight, residual.norm.bias, residual.norm.eps)
    members = None if group is None else Groups.split(group, groups)
    return relative_gru(kernel, first, members, side, one_layer(network.gru), steps=steps, how=how)


def decomp_gru_step(
    network: Branches,
    slow: Tensor,
    fast: Tensor,
    group: Tensor | None,
    groups: int,
    state: tuple[Tensor, Tensor] | None,
    how: How = How(),
) -> tuple[Tensor, Tensor] | None:
    """Both GRUs one patch on from their states `state`, None = from nothing: their states (n, d) each. For inference.

    `slow` and `fast` (patch, n, f) are what the branches read, `group` (1, n) as in `decomp_gru_states`. A stock's
    numbers depend on its own rows and on its group's, to the last bit.
    """
    embedding, residual = network.trend_embedding, network.residual_embedding
    kernel = fitting(slow, network.gru.hidden_size, how)
    if kernel is None or not folds(embedding, slow):
        return None
    first, _ = split_gru(kernel, embedding, network.trend_gru, slow, 1, rest=False)
    side = None
    if residual is not None:
        rest = patches(fast, embedding.patch)
        side = Side(rest, centred(*_joint(residual)), residual.norm.weight, residual.norm.bias, residual.norm.eps)
    members = None if group is None else Groups.split(group, groups)
    return relative_step(kernel, first, members, side, one_layer(network.gru), initial=state, how=how)


def _joint(residual: Separable) -> tuple[Tensor, Tensor]:
    """Weight (d, f, patch) and bias (d,) of the one convolution that the two make."""
    weight = residual.pointwise.weight * residual.depthwise.weight.squeeze(1)
    nothing: Tensor = weight.new_zeros(weight.shape[1], *residual.depthwise.kernel_size)
    bias: Tensor = residual.pointwise(residual.depthwise(nothing)).squeeze(1)
    return weight, bias
