"""Additive attention over time (Bahdanau et al. 2015): which days of a window count."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfactor.models._attention import normalise


class AttentionPool(nn.Module):
    """Mean of the states over time, weighted by softmax of v' tanh(W h): (L, b, w) -> (b, w).

    It exists so that early days are not forgotten. What is compared is normalised first (see `_attention`): with a
    GRU's small states as they come all days would weigh the same, and v and W would get next to no gradient.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, hidden, bias=False)
        self.outer = nn.Linear(hidden, 1, bias=False)

    def weights(self, states: Tensor) -> Tensor:
        """Weight of each day (L, b), positive, summing to 1 over the days."""
        score = self.outer(torch.tanh(self.inner(normalise(states)))).squeeze(2)
        return torch.softmax(score, dim=0)

    def forward(self, states: Tensor) -> Tensor:
        """Pool `states` (L, b, w) into (b, w)."""
        return torch.einsum("lb,lbw->bw", self.weights(states), states)
