"""`composite`: prices, volumes and fundamentals in one network, Study A (Haitong Securities, May 2024).

The encoders of `bi_agru` and `fundamental_gru`, concatenated -> MLP -> 32 -> Linear(32, 1). With `early` the quarters
are laid over the window's days as further features and there is one encoder, that of `bi_agru`. Sizes, and how quarters
are laid over days, are our choice: 12 quarters on 60 days are five days each, oldest first.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models._encoders import (
    FACTORS,
    BiAGRU,
    QuartersGRU,
    across_days,
    check_fundamentals,
    to_factors,
)
from deepfactor.models._rounded import Precision
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows", "fundamentals"})


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "early": "前端并入",
}


class Settings(Spec):
    """Hyper-parameters; our choice."""

    hidden: int = Field(default=64, ge=1, description="width of the embedding, of the GRUs' states and of the MLP")
    layers: int = Field(default=2, ge=1, le=64, description="layers of the bidirectional GRU")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="between the GRU's layers, in training")
    precision: Precision = "float32"
    factors: int = Field(default=FACTORS, ge=1, description="number of deep factors before the last layer")
    early: bool = Field(default=False, description="quarters as further daily features, no encoder of their own")


class Composite(nn.Module):
    """See the module's docstring. A stock's score depends on its own window and reports alone."""

    def __init__(self, shapes: Shapes, settings: Settings) -> None:
        super().__init__()
        s = settings
        features = shapes.features + (shapes["fundamentals"] if s.early else 0)
        self.encoder = BiAGRU(features, s.hidden, s.layers, s.dropout, s.precision)
        self.quarters = None if s.early else QuartersGRU(shapes["fundamentals"], s.hidden, s.precision)
        width = self.encoder.width + (self.quarters.width if self.quarters is not None else 0)
        self.mlp = to_factors(width, s.hidden, s.factors)
        self.head = nn.Linear(s.factors, 1)

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        scores: Tensor = self.head(self.factors(batch)).squeeze(1)  # (b,)
        return scores

    def factors(self, batch: CrossSection) -> Tensor:
        """The deep factors (b, 32) of the day."""
        windows, fundamentals = batch.windows, batch["fundamentals"]
        if self.quarters is None:
            days = across_days(fundamentals, windows.shape[0])
            encoded = self.encoder(torch.cat([windows, days], dim=2))
        else:
            encoded = torch.cat([self.encoder(windows), self.quarters(fundamentals)], dim=1)
        deep: Tensor = self.mlp(encoded)
        return deep


def build(settings: Settings, shapes: Shapes) -> Composite:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        there are no fundamentals.
    """
    check_fundamentals(shapes, "composite")
    return Composite(shapes, settings)
