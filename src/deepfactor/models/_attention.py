"""Single-head attention by which stocks read what is not their own: a market's latent states, another time scale.

Everything that is compared is normalised first (pre-norm) and nothing has a bias that the softmax, or the order of the
day's scores, would not see: with a GRU's small states as they come the weights start uniform, every stock reads the
same, and under the IC loss the attention gets no gradient at all.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def normalise(states: Tensor) -> Tensor:
    """Layer normalisation over the last axis, without weights (Ba et al. 2016)."""
    return nn.functional.layer_norm(states, states.shape[-1:])


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(query key' / sqrt(d)) value (Vaswani et al. 2017): (..., n, d), (..., m, d) twice -> (..., n, d)."""
    weight = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]), dim=-1)  # (..., n, m)
    return weight @ value


class Read(nn.Module):
    """What readers take from what is read: one head of attention on normalised states."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)

    def forward(self, readers: Tensor, read: Tensor) -> Tensor:
        """`readers` (..., n, d) attend to `read` (..., m, d): (..., n, d)."""
        read = normalise(read)
        return attend(self.query(normalise(readers)), self.key(read), self.value(read))


class MarketLatents(nn.Module):
    """Stocks exchange information through a few learned latent states of the market (CrossGRU, Huachuang, 2024).

    The latents read the day's stocks, the stocks read the latents: two small attentions instead of one among all
    stocks, b * m weights instead of b * b. A residual with a learned scale keeps each stock's own course.
    """

    def __init__(self, width: int, latents: int) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(latents, width))
        self.gather = Read(width)
        self.read = Read(width)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, states: Tensor) -> Tensor:
        """The stocks' `states` (b, d) with what the market adds: (b, d). The order of the stocks doesn't matter."""
        market = self.latents + self.gather(self.latents, states)  # (m, d)
        context: Tensor = self.scale * self.read(states, market)  # (b, d)
        return states + context
