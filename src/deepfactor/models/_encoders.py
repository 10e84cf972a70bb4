"""Study A's encoders: a stock's window, or its last quarters, as one vector. Each stock is read by itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.models import _fast
from deepfactor.models._attention_pool import AttentionPool
from deepfactor.models._fast.gru import tiles
from deepfactor.models._fast.gru_kernel import How
from deepfactor.models._rounded import GRU, Precision
from deepfactor.models.base import Shapes

FACTORS = 32
"""Number of deep factors that a network of Study A ends in."""


class BiAGRU(nn.Module):
    """Bidirectional GRU with additive attention over time: (L, b, f) -> (b, `width`), `width` = 4 * hidden.

    Linear(f, hidden) + tanh -> two-layer bidirectional GRU (dropout between the layers) -> the states pooled by
    attention, with the last state of the forward and the first of the backward direction behind.
    """

    def __init__(self, features: int, hidden: int, layers: int, dropout: float, precision: Precision) -> None:
        super().__init__()
        self.embedding = nn.Linear(features, hidden)
        between = dropout if layers > 1 else 0.0
        self.gru = GRU(hidden, hidden, precision, layers=layers, bidirectional=True, dropout=between)
        self.how = How(bf16=precision == "bf16")
        self.pool = AttentionPool(2 * hidden, hidden)
        self.width = 4 * hidden

    def forward(self, windows: Tensor) -> Tensor:
        """Encode standardised `windows` (L, b, f), some stocks at a time so that a step's work stays in the cache."""
        return torch.cat([self._encode(tile) for tile in tiles(windows)])

    def _encode(self, windows: Tensor) -> Tensor:
        embedded = torch.tanh(self.embedding(windows))  # (L, n, hidden)
        states = _fast.bi_gru_steps(self.gru, embedded, self.how)  # (L, n, 2 * hidden): the same numbers, compiled
        if states is None:
            states, _ = self.gru(embedded)
        forward, backward = states[-1].chunk(2, dim=1)[0], states[0].chunk(2, dim=1)[1]
        return torch.cat([self.pool(states), forward, backward], dim=1)


class QuartersGRU(nn.Module):
    """GRU over the last quarters' fundamentals: (q, b, k) -> its last state (b, hidden)."""

    def __init__(self, channels: int, hidden: int, precision: Precision) -> None:
        super().__init__()
        self.gru = GRU(channels, hidden, precision)
        self.how = How(bf16=precision == "bf16")
        self.width = hidden

    def forward(self, fundamentals: Tensor) -> Tensor:
        """Encode `fundamentals` (q, b, k), oldest quarter first."""
        last = _fast.gru_last(self.gru, fundamentals, self.how)  # the same numbers, compiled
        encoded: Tensor = self.gru(fundamentals)[0][-1] if last is None else last
        return encoded


def to_factors(width: int, hidden: int, factors: int) -> nn.Sequential:
    """(b, width) -> (b, factors) with one hidden layer.

    The last layer has no bias: a factor's level is the same for all stocks, the order of a day can't see it.
    """
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, factors, bias=False))


def check_fundamentals(shapes: Shapes, model: str) -> None:
    """Raise `RecipeError` unless there are fundamentals to read."""
    if not shapes["fundamentals"] or not shapes["quarters"]:
        raise RecipeError(f"{model} reads quarterly fundamentals, and the arm has none", key="kind")


def across_days(fundamentals: Tensor, days: int) -> Tensor:
    """Quarters (q, b, k) laid over `days` days, oldest first, each over the same number of days (± 1): (days, b, k)."""
    quarters = fundamentals.shape[0]
    which: Sequence[int] = [day * quarters // days for day in range(days)]
    return fundamentals[torch.tensor(which, device=fundamentals.device)]
