"""`cross_gru`: CrossGRU (Huachuang Securities, April 2024), the first forerunner of Study B's DecompGRU.

Conv1d patches -> LayerNorm -> GRU -> last step; then the stocks of the day exchange information through learned market
latents (`_attention.MarketLatents`), added with a learned scale -> Linear. The patches, one head and the width of the
attention are our choice. At the defaults, on 6 features, 51,970 parameters.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models import _fast
from deepfactor.models._attention import MarketLatents
from deepfactor.models._fast.gru_kernel import How
from deepfactor.models._layers import PatchEmbedding, check_patches
from deepfactor.models._rounded import GRU, Precision
from deepfactor.models.base import CrossSection, Shapes, State

INPUTS = frozenset({"windows"})


class Settings(Spec):
    """Hyper-parameters; the defaults are the study's where it states them."""

    hidden: int = Field(default=64, ge=1, description="width of the embedding, of the GRU's state and of the attention")
    patch: int = Field(default=3, ge=1, description="days a patch; the window must be a multiple of it")
    latents: int = Field(default=16, ge=1, description="number of learned states of the market")
    precision: Precision = "float32"


class CrossGRU(nn.Module):
    """See the module's docstring. A stock's score depends on the windows of all stocks of the day."""

    memory, compares = 0, True

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        s = settings
        self.embedding = PatchEmbedding(features, s.hidden, s.patch)
        self.gru = GRU(s.hidden, s.hidden, s.precision)
        self.market = MarketLatents(s.hidden, s.latents)
        self.head = nn.Linear(s.hidden, 1)
        self.patch = s.patch
        self.how = How(bf16=s.precision == "bf16")

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        last = _fast.patch_gru_last(self.embedding, self.gru, batch.windows, self.how)  # (b, d), compiled
        if last is None:
            last = self.gru(self.embedding(batch.windows))[0][-1]  # (p, b, d) -> (b, d)
        scores: Tensor = self.head(self.market(last)).squeeze(1)  # (b,)
        return scores

    def sequence(self, windows: Tensor, size_rank: Tensor | None, last: int) -> Tensor:
        """See `Causal`; the latents of a day are read from the stocks of that day's batch."""
        tiles = _fast.patch_gru_steps(self.embedding, self.gru, windows, self.how, last=last)  # (last, n', d), compiled
        states = (self.gru(self.embedding(windows))[0][-last:],) if tiles is None else tiles
        kept = torch.cat(states, dim=1)  # (last, n, d)
        ranks = _given(size_rank)[-last:]
        return torch.stack([self._among(h, rank >= 0) for h, rank in zip(kept, ranks, strict=True)])

    def advance(self, state: State | None, rows: Tensor, size_rank: Tensor | None) -> tuple[State, Tensor]:
        """See `Causal`."""
        before = None if state is None else state[0]  # (n, d)
        h = _fast.patch_gru_step(self.embedding, self.gru, rows, before, self.how)  # (n, d)
        if h is None:
            h = self.gru(self.embedding(rows), None if before is None else before[None])[1][0]
        return (h,), self._among(h, _given(size_rank) >= 0)

    def _among(self, states: Tensor, batch: Tensor) -> Tensor:
        """Scores (n,) of one day whose batch is where `batch` (n,) holds; 0 elsewhere."""
        scores = self.head(self.market(states[batch])).squeeze(1)
        return states.new_zeros(len(states)).masked_scatter(batch, scores)


def _given(size_rank: Tensor | None) -> Tensor:
    if size_rank is None:
        raise ValueError("cross_gru on sequences needs to know who is in each day's batch: size_rank")
    return size_rank


def build(settings: Settings, shapes: Shapes) -> CrossGRU:
    """A freshly initialised model (torch's default initialisation, latents standard normal, from torch's generator).

    Raises
    ------
    RecipeError
        the window is not a multiple of `settings.patch`.
    """
    check_patches(shapes, settings.patch)
    return CrossGRU(shapes.features, settings)
