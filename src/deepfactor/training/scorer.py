"""`Scorer`: a network with weights that don't change, and the scores and deep factors of days by it."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from deepfactor.core.arrays import Float32, Indices
from deepfactor.core.errors import UserError
from deepfactor.models.base import Causal, CausalBeside
from deepfactor.training.front import front_of
from deepfactor.training.samples import Sampler
from deepfactor.training.sequences import Stream


class Scorer:
    """Scores days of `span` by a copy of `network`, whose training never touches it.

    `streams`: a causal network trained on sequences goes on from day to day; see `Stream`.
    """

    def __init__(
        self, network: nn.Module, inputs: frozenset[str], sampler: Sampler, span: range, *, streams: bool
    ) -> None:
        self.network = copy.deepcopy(network).to(sampler.device).eval()
        self.inputs, self.sampler = inputs, sampler
        self.stream: Stream | None = None
        if streams:
            assert isinstance(self.network, Causal | CausalBeside), "planned with a network that is not causal"
            self.stream = Stream(self.network, sampler, span, inputs)
        self.front = None if streams else front_of(self.network, sampler)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Score by these weights from now on."""
        self.network.load_state_dict(state)
        for running in (self.front, self.stream):
            if running is not None:
                running.forget()

    def scores(self, t: int) -> tuple[Indices, Float32]:
        """Columns and scores of day t's whole batch; both empty where there is no batch.

        Raises
        ------
        UserError
            a score is not finite.
        """
        stocks = self.sampler.data.stocks(t)
        if not len(stocks):
            return stocks, np.empty(0, np.float32)
        with torch.inference_mode():
            if self.stream is not None:
                scored = self.stream.scores(t)
            elif self.front is not None:
                scored = self.front.scores(t)
            else:
                scored = self.network(self.sampler.cross_section(t, self.inputs))
            score: Float32 = scored.cpu().numpy().copy()
        if not np.isfinite(score).all():
            day = self.sampler.data.dates[t]
            raise UserError(f"scores of {day} are not finite: the network diverged, lower fit.lr")
        return stocks, score

    def factors(self, t: int) -> tuple[Indices, Float32 | None]:
        """Columns of day t's batch and its deep factors (b, n); None on a day that has none."""
        stocks = self.sampler.data.stocks(t)
        if not len(stocks):
            return stocks, None
        with torch.inference_mode():
            batch = self.sampler.cross_section(t, self.inputs)
            deep: Tensor | None = self.network.factors(batch)  # type: ignore[operator]
        return stocks, None if deep is None else deep.cpu().numpy().copy()
