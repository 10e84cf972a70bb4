"""`gru`: the baseline of Study B (Huachuang Securities, 2025), a GRU over three-day patches of the window.

Conv1d (kernel = stride = patch) -> LayerNorm -> GRU, one layer -> last step -> Linear. At the defaults, on 6 features,
26,369 parameters. LayerNorm's place is our choice.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models import _fast
from deepfactor.models._fast.gru_kernel import How
from deepfactor.models._layers import PatchEmbedding, check_patches, scores_by_row
from deepfactor.models._rounded import GRU, Precision
from deepfactor.models.base import CrossSection, Shapes, State

INPUTS = frozenset({"windows"})


class Settings(Spec):
    """Hyper-parameters; the defaults are the study's."""

    hidden: int = Field(default=64, ge=1, description="width of the embedding and of the GRU's state")
    patch: int = Field(default=3, ge=1, description="days a patch; the window must be a multiple of it")
    precision: Precision = "float32"


class PatchGRU(nn.Module):
    """See the module's docstring. A stock's score depends on its own window alone."""

    memory, compares, pads = 0, False, True

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        hidden = settings.hidden
        self.embedding = PatchEmbedding(features, hidden, settings.patch)  # Conv1d over each patch, then LayerNorm
        self.gru = GRU(hidden, hidden, settings.precision)
        self.head = nn.Linear(hidden, 1)
        self.patch = settings.patch
        self.how = How(bf16=settings.precision == "bf16")

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        x = batch.windows  # (L, b, f)
        last = _fast.patch_gru_last(self.embedding, self.gru, x, self.how)  # the same numbers, compiled
        if last is None:
            patches = self.embedding(x)  # (p, b, d), p = L / patch
            states, _ = self.gru(patches)  # (p, b, d)
            last = states[-1]  # (b, d)
        scores: Tensor = self.head(last).squeeze(1)  # (b,)
        return scores

    def sequence(self, windows: Tensor, size_rank: Tensor | None, last: int) -> Tensor:
        """See `Causal`."""
        tiles = _fast.patch_gru_steps(
            self.embedding, self.gru, windows, self.how, last=last
        )  # (last, n', d) each, compiled
        states = (self.gru(self.embedding(windows))[0][-last:],) if tiles is None else tiles
        scores: Tensor = self.head(torch.cat(states, dim=1)).squeeze(2)  # (last, n)
        return scores

    def advance(self, state: State | None, rows: Tensor, size_rank: Tensor | None) -> tuple[State, Tensor]:
        """See `Causal`."""
        before = None if state is None else state[0]  # (n, d)
        h = _fast.patch_gru_step(self.embedding, self.gru, rows, before, self.how)  # (n, d)
        if h is None:
            h = self.gru(self.embedding(rows), None if before is None else before[None])[1][0]
        return (h,), scores_by_row(self.head, h)

    def front(self, rows: Tensor) -> Tensor:
        """See `SharesFront`."""
        made = _fast.front_of(self.embedding, self.gru, rows)
        embedded: Tensor = self.embedding(rows)[0] if made is None else made
        return embedded

    def score_front(self, front: Tensor) -> Tensor:
        """See `SharesFront`."""
        last = _fast.front_last(self.embedding, self.gru, front, self.how)
        scores: Tensor = self.head(self.gru(front)[0][-1] if last is None else last).squeeze(1)
        return scores


def build(settings: Settings, shapes: Shapes) -> PatchGRU:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        the window is not a multiple of `settings.patch`.
    """
    check_patches(shapes, settings.patch)
    return PatchGRU(shapes.features, settings)
