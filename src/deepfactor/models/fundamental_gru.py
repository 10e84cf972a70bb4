"""`fundamental_gru`: a GRU on the last 12 quarters of fundamentals alone, Study A (Haitong Securities, May 2024).

GRU(64) -> MLP 64 -> 32 -> 1. At 26 channels 19,777 parameters.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models._encoders import FACTORS, QuartersGRU, check_fundamentals
from deepfactor.models._rounded import Precision
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"fundamentals"})


class Settings(Spec):
    """Hyper-parameters; our choice."""

    hidden: int = Field(default=64, ge=1, description="width of the GRU's state")
    precision: Precision = "float32"
    factors: int = Field(default=FACTORS, ge=1, description="width of the layer before the last")


class FundamentalGRU(nn.Module):
    """See the module's docstring. A stock's score depends on its own reports alone."""

    def __init__(self, channels: int, settings: Settings) -> None:
        super().__init__()
        self.encoder = QuartersGRU(channels, settings.hidden, settings.precision)
        self.mlp = nn.Sequential(nn.Linear(settings.hidden, settings.factors), nn.ReLU())
        self.head = nn.Linear(settings.factors, 1)

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        deep = self.mlp(self.encoder(batch["fundamentals"]))
        scores: Tensor = self.head(deep).squeeze(1)  # (b,)
        return scores


def build(settings: Settings, shapes: Shapes) -> FundamentalGRU:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        there are no fundamentals.
    """
    check_fundamentals(shapes, "fundamental_gru")
    return FundamentalGRU(shapes["fundamentals"], settings)
