"""`gru`: the baseline of Study B (Huachuang Securities, 2025), a GRU over three-day patches of the window.

Conv1d (kernel = stride = patch) -> LayerNorm -> GRU, one layer -> last step -> Linear. At the defaults, on 6 features,
26,369 parameters. LayerNorm's place is our choice.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models._gru_op import tiles
from deepfactor.models._layers import PatchEmbedding, check_patches
from deepfactor.models._patch_gru import patch_gru_last
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows"})


class Settings(Spec):
    """Hyper-parameters; the defaults are the study's."""

    hidden: int = Field(default=64, ge=1, description="width of the embedding and of the GRU's state")
    patch: int = Field(default=3, ge=1, description="days a patch; the window must be a multiple of it")


class PatchGRU(nn.Module):
    """See the module's docstring. A stock's score depends on its own window alone."""

    def __init__(self, features: int, hidden: int, patch: int) -> None:
        super().__init__()
        self.embedding = PatchEmbedding(features, hidden, patch)
        self.gru = nn.GRU(hidden, hidden)
        self.head = nn.Linear(hidden, 1)

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        last = patch_gru_last(self.embedding, self.gru, tiles(batch.windows))  # (n, d) each
        scores: Tensor = self.head(torch.cat(last)).squeeze(1)  # (b,)
        return scores


def build(settings: Settings, shapes: Shapes) -> PatchGRU:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        the window is not a multiple of `settings.patch`.
    """
    check_patches(shapes, settings.patch)
    return PatchGRU(shapes.features, settings.hidden, settings.patch)
