"""One shape for all steps of an arm, so that a GPU can run the recurrence as a CUDA graph.

Days differ in how many stocks they have. A step's stocks are filled up to the most that a step of the fold can have, by
stocks of zeros whose rank is -1: in nobody's batch. What is made of them is cut off again before anybody sees it. A
step's dozens of dependent patches are then two graphs; gathering, loss, clipping and Adam are few kernels of the day's
own shape and stay outside, so that a loss knows nothing of all this.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from deepfactor.models.base import Causal, CausalBeside, Pads
from deepfactor.training.data import TrainingData
from deepfactor.training.device import graphed


class Recurrence(nn.Module):
    """What a step asks of a causal network: of the `last` patches the scores (last, n), or the states (last, n, d) that
    its head reads."""

    def __init__(self, network: Causal | CausalBeside, last: int) -> None:
        super().__init__()
        self.network, self.last = network, last

    def forward(self, windows: Tensor, size_rank: Tensor | None = None) -> Tensor:
        """Of `windows` (p · patch, n, f), and of `size_rank` (p, n) where the network compares; see `Causal`."""
        if isinstance(self.network, CausalBeside):
            return self.network.states(windows, self.last)
        return self.network.sequence(windows, size_rank, self.last)


class OneShape(nn.Module):
    """A `Recurrence` of always `width` stocks and `days` days; called as that is, with at most so many stocks."""

    def __init__(self, recurrence: Recurrence, days: int, width: int, features: int, device: torch.device) -> None:
        super().__init__()
        self.width, self.patches = width, days // recurrence.network.patch
        self.compares = compares(recurrence.network)
        windows = torch.zeros(days, width, features, device=device)
        rank = torch.full((self.patches, width), -1, dtype=torch.int64, device=device)
        self.run = graphed(recurrence.train(), (windows, rank) if self.compares else (windows,))
        for parameter in recurrence.parameters():
            parameter.grad = torch.zeros_like(parameter)  # see `graphed`

    def forward(self, windows: Tensor, size_rank: Tensor | None = None) -> Tensor:
        """See `Recurrence`: (last, n) or (last, n, d)."""
        stocks = windows.shape[1]
        wide = nn.functional.pad(windows, (0, 0, 0, self.width - stocks))
        if size_rank is None:
            made: Tensor = self.run(wide)
        else:
            made = self.run(wide, nn.functional.pad(size_rank, (0, self.width - stocks), value=-1))
        return made[:, :stocks]


def compares(network: Causal | CausalBeside) -> bool:
    """Whether the recurrence needs to know who is in each day's batch."""
    return isinstance(network, Causal) and network.compares


def can_pad(network: nn.Module) -> bool:
    """Whether `OneShape` holds for this network; others run in each day's own shape."""
    return isinstance(network, Pads) and isinstance(network, Causal | CausalBeside)


def widest(data: TrainingData, lasts: range, days: int) -> int:
    """Most stocks that are in the batch of any of `days` consecutive days, of those that end on one of `lasts`."""
    first = max(lasts.start + 1 - days, 0)
    seen = np.zeros((lasts.stop - first + 1, len(data.symbols)), np.int32)
    for row, t in enumerate(range(first, lasts.stop), start=1):
        seen[row, data.stocks(t)] = 1
    np.cumsum(seen, axis=0, out=seen)
    return max(int((seen[t + 1 - first] > seen[max(t + 1 - days - first, 0)]).sum()) for t in lasts)
