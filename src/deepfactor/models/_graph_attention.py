"""Graph attention over given neighbours (GAT, Veličković et al. 2018): how much a related stock counts is learned.

Neighbours come as positions (b, m), so work and memory grow with the edges; no b x b matrix and no (b, m, width) tensor
is kept. A place without a neighbour points to one more stock behind the batch, whose value is 0 and whose score is so
low that its weight is 0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from deepfactor.models.base import Neighbours

_NEVER = -1e30


class GraphAttention(nn.Module):
    """One layer of several heads: (b, width) -> (b, heads * size).

    For each head e_ij = LeakyReLU_0.2(a . W h_j + c . W h_i + s * similarity_ij), softmax over the neighbours j of i,
    dropout on the weights, sum of weight * W h_j: GATConv of torch_geometric with an edge feature and no bias. Whether
    a stock is among its own neighbours is the graph's matter; a stock without any gets 0.
    """

    def __init__(self, width: int, heads: int, size: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.size, self.dropout = heads, size, dropout
        self.value = nn.Linear(width, heads * size, bias=False)
        self.of_neighbour = nn.Parameter(torch.empty(heads, size))
        self.of_self = nn.Parameter(torch.empty(heads, size))
        self.similarity = nn.Parameter(torch.ones(heads))
        for parameter in (self.value.weight, self.of_neighbour, self.of_self):
            nn.init.xavier_uniform_(parameter)

    def forward(self, states: Tensor, neighbours: Neighbours) -> Tensor:
        """What the neighbours of each stock say, (b, heads * size), from `states` (b, width)."""
        b = len(states)
        value = self.value(states).view(b, self.heads, self.size).transpose(0, 1).contiguous()  # (heads, b, size)
        index = torch.where(neighbours.index < 0, b, neighbours.index)  # (b, m)
        theirs = nn.functional.pad(torch.einsum("hbs,hs->bh", value, self.of_neighbour), (0, 0, 0, 1), value=_NEVER)
        own = torch.einsum("hbs,hs->bh", value, self.of_self)
        alike = neighbours.similarity[:, :, None] * self.similarity
        score = theirs.index_select(0, index.flatten()).view(*index.shape, -1) + own[:, None] + alike  # (b, m, heads)
        weight = torch.softmax(nn.functional.leaky_relu(score, 0.2), dim=1)
        weight = nn.functional.dropout(weight, self.dropout, self.training)
        summed: Tensor = _WeightedSum.apply(weight.permute(2, 0, 1), value, index)  # type: ignore[no-untyped-call]
        return summed.transpose(0, 1).flatten(1)


class _WeightedSum(torch.autograd.Function):
    """sum_j weight_ij value_j: weights (heads, b, m), values (heads, b, size), index (b, m) -> (heads, b, size).

    An index of b is an empty place.
    Both ways are bags of `embedding_bag`: forwards a bag a stock, backwards a bag a neighbour, the edges sorted by it.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, value: Tensor, index: Tensor) -> Tensor:
        weight, value = weight.contiguous(), nn.functional.pad(value, (0, 0, 0, 1))
        ctx.save_for_backward(weight, value, index)
        starts = torch.arange(0, index.numel(), index.shape[1], device=index.device)
        bags = [_bags(v, index.flatten(), starts, w.flatten()) for w, v in zip(weight, value, strict=True)]
        return torch.stack(bags)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, value, index = ctx.saved_tensors
        grad, flat, m = grad.contiguous(), index.flatten(), index.shape[1]
        order = torch.argsort(flat, stable=True)
        count = torch.bincount(flat, minlength=value.shape[1])
        starts, stock = torch.cumsum(count, 0) - count, order // m
        to_value, to_weight = [], []
        for w, v, g in zip(weight, value, grad, strict=True):
            to_value.append(_bags(g, stock, starts, w.flatten()[order])[:-1])
            to_weight.append((v.index_select(0, flat).view(*index.shape, -1) * g[:, None]).sum(dim=2))
        return torch.stack(to_weight), torch.stack(to_value), None


def _bags(rows: Tensor, index: Tensor, starts: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums of rows (r, size), a bag from each of `starts` (n,) of `index` (e,) to the next: (n, size)."""
    return nn.functional.embedding_bag(index, rows, starts, mode="sum", per_sample_weights=weight)
