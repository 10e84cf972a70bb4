"""Several seeds of `gru` as one network, their weights behind a leading axis: one matrix product for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from deepfactor.models.gru import PatchGRU

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
