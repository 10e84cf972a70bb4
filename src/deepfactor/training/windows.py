"""Training on windows: a day's batch, each stock by its last L days, and the day's loss."""

from __future__ import annotations

from torch import Tensor, nn

from deepfactor.models.base import CausalBeside
from deepfactor.training.goals import Goals
from deepfactor.training.one_shape import OneShape
from deepfactor.training.samples import Sampler


class Windows:
    """Losses of days by a `network` that reads `inputs`; `shape` = by its recurrence in one shape for all days."""

    def __init__(
        self, network: nn.Module, inputs: frozenset[str], sampler: Sampler, goals: Goals, shape: OneShape | None
    ) -> None:
        self.network, self.inputs, self.sampler = network, inputs, sampler
        self._goals, self._shape = goals, shape

    def loss(self, t: int) -> Tensor:
        """Loss of day t."""
        return self._goals.loss(t, self._scores(t))

    def _scores(self, t: int) -> Tensor:
        """Scores (b,) of day t's batch; a window is a sequence of which the last patch has a label."""
        batch = self.sampler.cross_section(t, self.inputs)
        shape = self._shape
        if shape is None:
            scores: Tensor = self.network(batch)
            return scores
        (made,) = shape(batch.windows, batch["size_rank"].expand(shape.patches, -1) if shape.compares else None)
        return self.network.score(made, batch.inputs) if isinstance(self.network, CausalBeside) else made
