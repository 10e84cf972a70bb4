"""`cross_gru2`: CrossGRU-2 (Huachuang Securities, July 2024), the second forerunner of Study B's DecompGRU.

Two branches read the same window in patches of different lengths (3 and 15 days), each with a GRU of its own. The last
state of each branch reads all steps of the other by attention; both together, through a Linear and tanh, go to the
market latents of `cross_gru` -> Linear. The study takes attention between all steps of both scales; since only the last
step goes on, only its row is computed, which gives the same. Widths and the joining layer are our choice.
At the defaults, on 6 features, 115,714 parameters.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models import _fast
from deepfactor.models._attention import MarketLatents, Read
from deepfactor.models._fast.gru_kernel import How
from deepfactor.models._layers import PatchEmbedding, check_patches
from deepfactor.models._rounded import GRU, Precision
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows"})


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "long_patch": "长片段天数",
}


class Settings(Spec):
    """Hyper-parameters; the patches' lengths and the number of latents are the study's."""

    hidden: int = Field(default=64, ge=1, description="width of embeddings, GRUs and attention")
    patch: int = Field(default=3, ge=1, description="days a patch of the fine branch; must divide the window")
    long_patch: int = Field(default=15, ge=1, description="days a patch of the coarse branch; must divide the window")
    latents: int = Field(default=16, ge=1, description="number of learned states of the market")
    precision: Precision = "float32"


class CrossGRU2(nn.Module):
    """See the module's docstring. A stock's score depends on the windows of all stocks of the day."""

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        s = settings
        self.fine_embedding = PatchEmbedding(features, s.hidden, s.patch)
        self.fine_gru = GRU(s.hidden, s.hidden, s.precision)
        self.coarse_embedding = PatchEmbedding(features, s.hidden, s.long_patch)
        self.coarse_gru = GRU(s.hidden, s.hidden, s.precision)
        self.fine_reads = Read(s.hidden)
        self.coarse_reads = Read(s.hidden)
        self.join = nn.Linear(2 * s.hidden, s.hidden)
        self.market = MarketLatents(s.hidden, s.latents)
        self.head = nn.Linear(s.hidden, 1)
        self.how = How(bf16=s.precision == "bf16")

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        fine = self._states(self.fine_embedding, self.fine_gru, batch.windows)  # (L/3, n, d) each, their n make b
        coarse = self._states(self.coarse_embedding, self.coarse_gru, batch.windows)  # (L/15, n, d) each
        joined = torch.cat([self._both(a, b) for a, b in zip(fine, coarse, strict=True)])  # (b, d)
        scores: Tensor = self.head(self.market(joined)).squeeze(1)  # (b,)
        return scores

    def _states(self, embedding: PatchEmbedding, gru: nn.GRU, windows: Tensor) -> tuple[Tensor, ...]:
        """States of a branch at all steps, in tiles of the stocks, compiled; or in one, the same numbers."""
        states = _fast.patch_gru_steps(embedding, gru, windows, self.how)
        return (gru(embedding(windows))[0],) if states is None else states

    def _both(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """The scales' states (p, n, d), (q, n, d) of a tile, each last one with what it reads in the other: (n, d)."""
        own = [states[-1][:, None] for states in (fine, coarse)]  # (n, 1, d) each
        by_stock = [states.transpose(0, 1) for states in (fine, coarse)]  # (n, p, d), (n, q, d)
        a = own[0] + self.fine_reads(own[0], by_stock[1])  # (n, 1, d)
        b = own[1] + self.coarse_reads(own[1], by_stock[0])  # (n, 1, d)
        joined: Tensor = torch.tanh(self.join(torch.cat([a, b], dim=-1))).squeeze(1)  # (n, d)
        return joined


def build(settings: Settings, shapes: Shapes) -> CrossGRU2:
    """A freshly initialised model (torch's default initialisation, latents standard normal, from torch's generator).

    Raises
    ------
    RecipeError
        the window is not a multiple of both patches.
    """
    for patch in (settings.patch, settings.long_patch):
        check_patches(shapes, patch)
    return CrossGRU2(shapes.features, settings)
