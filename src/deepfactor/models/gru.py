"""`gru`: the baseline of Study B (Huachuang Securities, 2025), a GRU over three-day patches of the window.

Conv1d (kernel = stride = patch) -> LayerNorm -> GRU, one layer -> last step -> Linear. At the defaults, on 6 features,
26,369 parameters. LayerNorm's place is our choice.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models._gru_kernel import How
from deepfactor.models._gru_op import tiles
from deepfactor.models._layers import PatchEmbedding, check_patches
from deepfactor.models._patch_gru import front_last, front_of, patch_gru_last
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows"})


class Settings(Spec):
    """Hyper-parameters; the defaults are the study's."""

    hidden: int = Field(default=64, ge=1, description="width of the embedding and of the GRU's state")
    patch: int = Field(default=3, ge=1, description="days a patch; the window must be a multiple of it")
    precision: Literal["float32", "bf16"] = Field(
        default="float32",
        description="bf16: what enters the GRUs' matrix products is rounded to bfloat16; all else is float32",
    )


class PatchGRU(nn.Module):
    """See the module's docstring. A stock's score depends on its own window alone."""

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        hidden = settings.hidden
        self.embedding = PatchEmbedding(features, hidden, settings.patch)
        self.how = How(bf16=settings.precision == "bf16")
        self.gru = nn.GRU(hidden, hidden)
        self.head = nn.Linear(hidden, 1)
        self.patch = settings.patch

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        last = patch_gru_last(self.embedding, self.gru, tiles(batch.windows), self.how)  # (n, d) each
        scores: Tensor = self.head(torch.cat(last)).squeeze(1)  # (b,)
        return scores

    def front(self, rows: Tensor) -> Tensor:
        """See `SharesFront`."""
        return front_of(self.embedding, self.gru, rows)

    def score_front(self, front: Tensor) -> Tensor:
        """See `SharesFront`."""
        scores: Tensor = self.head(front_last(self.embedding, self.gru, front, self.how)).squeeze(1)
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
