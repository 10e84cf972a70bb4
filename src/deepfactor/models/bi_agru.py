"""`bi_agru`: BiAGRU of Study A (Haitong Securities, May 2024), its price-volume factor; the study names it only.

Linear(f, 64) + tanh -> two-layer bidirectional GRU -> additive attention over time -> [pooled; last forward; first
backward] -> MLP -> 32 deep factors -> (optional orthogonal layer) -> Linear(32, 1). Sizes are our choice.
At the defaults, on 6 features, 151,649 parameters.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.core.spec import Spec
from deepfactor.models._encoders import FACTORS, BiAGRU, to_factors
from deepfactor.models._orthogonal import orthogonal, whitened
from deepfactor.models._rounded import Precision
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows"})

Exposure = Literal["industry", "size", "value"]


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "mlp": "MLP宽度",
    "orthogonal": "正交",
    "project": "预先剥离",
}


class Settings(Spec):
    """Hyper-parameters; only the 32 orthogonal factors are the study's."""

    hidden: int = Field(default=64, ge=1, description="width of the embedding and of each GRU direction")
    mlp: int | None = Field(
        default=None,
        ge=1,
        description="width of the MLP; none = hidden. Units die in training: independent factors want spares",
    )
    layers: int = Field(default=2, ge=1, le=64, description="layers of the bidirectional GRU")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="between the GRU's layers, in training")
    precision: Precision = "float32"
    factors: int = Field(default=FACTORS, ge=1, description="number of deep factors before the last layer")
    orthogonal: bool = Field(default=False, description="make the deep factors mutually uncorrelated on every day")
    project: tuple[Exposure, ...] = Field(
        default=(), description="what the deep factors are freed of first: industry, size, value (orthogonal only)"
    )


def inputs(settings: Settings) -> frozenset[str]:
    """What a model with these settings reads: with `project` also the exposures."""
    return INPUTS | {"exposures"} if settings.project else INPUTS


class BiAGRUFactors(nn.Module):
    """See the module's docstring. Without the orthogonal layer a stock's score depends on its own window alone."""

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        s = settings
        self.settings = s
        self.encoder = BiAGRU(features, s.hidden, s.layers, s.dropout, s.precision)
        self.mlp = to_factors(self.encoder.width, s.mlp or s.hidden, s.factors)
        self.head = nn.Linear(s.factors, 1)

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; finite on every day, in training and inference from the same function."""
        deep = self.mlp(self.encoder(batch.windows))
        if self.settings.orthogonal:
            deep = whitened(deep, self._projected(batch))
        scores: Tensor = self.head(deep).squeeze(1)  # (b,)
        return scores

    def factors(self, batch: CrossSection) -> Tensor | None:
        """The deep factors (b, 32) of the day, in the order of the batch.

        With `orthogonal` their correlation matrix is the identity and they are uncorrelated with what `project` names;
        None on a day that can't give that (see `_orthogonal.orthogonal`), which the caller counts.
        """
        deep: Tensor = self.mlp(self.encoder(batch.windows))
        return orthogonal(deep, self._projected(batch)) if self.settings.orthogonal else deep

    def _projected(self, batch: CrossSection) -> Tensor | None:
        """The columns (b, c) of the exposures that `project` names: industries stand first, then ln cap, then BP."""
        if not self.settings.project:
            return None
        exposures = batch["exposures"]
        count = exposures.shape[1]
        columns = {"industry": range(count - 2), "size": [count - 2], "value": [count - 1]}
        return exposures[:, [column for name in self.settings.project for column in columns[name]]]


def build(settings: Settings, shapes: Shapes) -> BiAGRUFactors:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        `project` without the orthogonal layer, or without exposures to project out.
    """
    if settings.project and not settings.orthogonal:
        raise RecipeError("project is a step of the orthogonal layer: write orthogonal = true", key="project")
    if settings.project and shapes["exposures"] < 3:
        raise RecipeError("there are no exposures to project out", key="project")
    return BiAGRUFactors(shapes.features, settings)
