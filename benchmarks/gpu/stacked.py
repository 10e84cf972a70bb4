"""Several seeds of `gru` as one network, their weights behind a leading axis: one matrix product for all of them.

Not in the trainer: see docs/decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from deepfactor.models import gru
from deepfactor.models.base import Shapes
from deepfactor.models.gru import PatchGRU
from deepfactor.training.device import graphed, to_device
from deepfactor.training.losses import ic
from deepfactor.training.samples import Sampler, standardise

_EPSILON = 1e-5  # of `nn.LayerNorm`


class StackedGRU(nn.Module):
    """S networks of one form: windows (L, b, f) -> scores (S, b)."""

    def __init__(self, networks: Sequence[PatchGRU]) -> None:
        super().__init__()
        first = networks[0]
        self.patch, self.hidden = first.patch, first.gru.hidden_size
        front = [n.embedding.conv for n in networks]
        self.convolution = _stack(one.weight.permute(2, 1, 0).flatten(0, 1) for one in front)  # (S, patch·f, d)
        self.convolution_bias = _stack(one.bias[None] for one in front if one.bias is not None)  # (S, 1, d)
        self.norm = _stack(n.embedding.norm.weight[None] for n in networks)
        self.norm_bias = _stack(n.embedding.norm.bias[None] for n in networks)
        self.into = _stack(n.gru.weight_ih_l0.T for n in networks)  # (S, d, 3d)
        self.into_bias = _stack(n.gru.bias_ih_l0[None] for n in networks)
        self.again = _stack(n.gru.weight_hh_l0.T for n in networks)
        self.again_bias = _stack(n.gru.bias_hh_l0[None] for n in networks)
        self.head = _stack(n.head.weight.T for n in networks)  # (S, d, 1)
        self.head_bias = _stack(n.head.bias[None] for n in networks)

    def forward(self, windows: Tensor) -> Tensor:
        """Scores (S, b)."""
        seeds, (days, b, f) = len(self.head), windows.shape
        patches = windows.view(days // self.patch, self.patch, b, f).transpose(1, 2).reshape(1, -1, self.patch * f)
        x = torch.baddbmm(self.convolution_bias, patches.expand(seeds, -1, -1), self.convolution)  # (S, p·b, d)
        x = nn.functional.layer_norm(x, (self.hidden,), eps=_EPSILON) * self.norm + self.norm_bias
        gates = torch.baddbmm(self.into_bias, x, self.into).view(seeds, -1, b, 3 * self.hidden)  # (S, p, b, 3d)
        h = x.new_zeros(seeds, b, self.hidden)
        for given in gates.unbind(1):
            own = torch.baddbmm(self.again_bias, h, self.again)  # (S, b, 3d)
            (r, z, n), (hr, hz, hn) = given.chunk(3, 2), own.chunk(3, 2)
            new = torch.tanh(n + torch.sigmoid(r + hr) * hn)
            h = new + torch.sigmoid(z + hz) * (h - new)
        return torch.baddbmm(self.head_bias, h, self.head).squeeze(2)


def _stack(tensors: Iterable[Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([one.detach() for one in tensors]).contiguous())


def clip(network: nn.Module, most: float) -> None:
    """Clip each seed's own gradient to the norm `most`, as `clip_grad_norm_` does of one network."""
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    norm = torch.stack([one.flatten(1).square().sum(1) for one in grads]).sum(0).sqrt()  # (S,)
    share = (most / (norm + 1e-6)).clamp(max=1.0)
    for one in grads:
        one.mul_(share.view(-1, *(1,) * (one.dim() - 1)))


def fresh(seeds: int, settings: gru.Settings, shapes: Shapes) -> list[PatchGRU]:
    """A network of each seed."""
    made = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        made.append(gru.build(settings, shapes))
    return made


class _Rounded(nn.Module):
    """A network of matrix products in bfloat16, its states too."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, windows: Tensor) -> Tensor:
        with torch.autocast(windows.device.type, torch.bfloat16, cache_enabled=False):
            scores: Tensor = self.network(windows)
        return scores.float()


class StackedStep:
    """Gradient steps of several seeds at once, all on the same day; the network is a graph on a GPU."""

    def __init__(
        self,
        sampler: Sampler,
        seeds: int,
        width: int,
        settings: gru.Settings = gru.Settings(),
        *,
        bf16: bool = False,
    ) -> None:
        data, device = sampler.data, sampler.device
        features = len(data.features.names)
        self.sampler, self.width = sampler, width
        self.network = StackedGRU(fresh(seeds, settings, Shapes(features, data.window))).to(device)
        self.run = graphed(
            _Rounded(self.network) if bf16 else self.network,
            (torch.zeros(data.window, width, features, device=device),),
        )
        for parameter in self.network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=True)

    def __call__(self, t: int) -> Tensor:
        """A step on day t; the losses (S,)."""
        data, stocks = self.sampler.data, self.sampler.data.stocks(t)
        windows = self.sampler.cross_section(t, gru.INPUTS).windows
        scores = self.run(nn.functional.pad(windows, (0, 0, 0, self.width - len(stocks))))[:, : len(stocks)]
        labelled = data.labelled(t, stocks)
        target = to_device(standardise(data.label[t, stocks[labelled]], "rank"), scores.device)
        chosen = scores.index_select(1, to_device(labelled.astype(np.int64), scores.device))
        losses = torch.stack([ic.loss(ic.Settings(), one, target) for one in chosen])
        self.optimizer.zero_grad(set_to_none=False)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        clip(self.network, 3.0)
        self.optimizer.step()
        return losses.detach()
