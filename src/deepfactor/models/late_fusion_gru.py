"""`late_fusion_gru`: a GRU over the window, and beside its last state the features of the day, read by one head.

Late fusion: two kinds of input meet behind what is made of each (Baltrušaitis et al. 2019). The recurrence is that of
`gru`: Conv1d patches -> LayerNorm -> GRU -> last state h. With x, the day's features (input `day_features`: ranks about
0, missing = 0), the head is wide and deep (Cheng et al. 2016):

    score = w [h; x] + c + v relu(W [h; x] + b)

so that with the weights of x at zero, and v, it is `gru`. At the defaults, on 6 fields and 178 features, 42,163
parameters. That there is one hidden layer, and its width, are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.errors import RecipeError
from deepfactor.core.spec import Spec
from deepfactor.models import _fast
from deepfactor.models._fast.gru_kernel import How
from deepfactor.models._layers import PatchEmbedding, check_patches
from deepfactor.models._rounded import GRU, Precision
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows", "day_features"})


class Settings(Spec):
    """Hyper-parameters; those of the recurrence are Study B's."""

    hidden: int = Field(default=64, ge=1, description="width of the embedding and of the GRU's state")
    patch: int = Field(default=3, ge=1, description="days a patch; the window must be a multiple of it")
    mlp: int = Field(default=64, ge=0, description="width of the head's hidden layer; 0 = none, a linear head")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="on the head's hidden layer, in training")
    precision: Precision = "float32"


class LateFusionGRU(nn.Module):
    """See the module's docstring. A stock's score depends on its own window and its own features of the day."""

    memory, pads = 0, True

    def __init__(self, shapes: Shapes, settings: Settings) -> None:
        super().__init__()
        hidden, width = settings.hidden, settings.hidden + shapes["day_features"]
        self.embedding = PatchEmbedding(shapes.features, hidden, settings.patch)  # Conv1d over each patch, LayerNorm
        self.gru = GRU(hidden, hidden, settings.precision)
        self.deep = _hidden_layer(width, settings) if settings.mlp else None
        self.head = nn.Linear(width, 1)
        self.patch = settings.patch
        self.how = How(bf16=settings.precision == "bf16")

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        x = batch.windows  # (L, b, f)
        last = _fast.patch_gru_last(self.embedding, self.gru, x, self.how)  # the same numbers, compiled
        if last is None:
            last = self.gru(self.embedding(x))[0][-1]  # (p, b, d) -> (b, d)
        return self.score(last, {"day_features": batch["day_features"]})

    def states(self, windows: Tensor, last: int) -> Tensor:
        """See `CausalBeside`."""
        tiles = _fast.patch_gru_steps(self.embedding, self.gru, windows, self.how, last=last)  # (last, n', d), compiled
        return torch.cat((self.gru(self.embedding(windows))[0][-last:],) if tiles is None else tiles, dim=1)

    def remember(self, state: Tensor | None, rows: Tensor) -> Tensor:
        """See `CausalBeside`."""
        h = _fast.patch_gru_step(self.embedding, self.gru, rows, state, self.how)  # (n, d)
        if h is None:
            h = self.gru(self.embedding(rows), None if state is None else state[None])[1][0]
        return h

    def score(self, states: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """See `CausalBeside`."""
        joined = torch.cat([states, inputs["day_features"]], dim=1)  # (b, d + k)
        scores: Tensor = self.head(joined).squeeze(1)  # (b,)
        return scores if self.deep is None else scores + self.deep(joined).squeeze(1)


def _hidden_layer(width: int, settings: Settings) -> nn.Sequential:
    """(b, width) -> (b, 1); without a last bias, which the linear part has."""
    last = nn.Linear(settings.mlp, 1, bias=False)
    return nn.Sequential(nn.Linear(width, settings.mlp), nn.ReLU(), nn.Dropout(settings.dropout), last)


def build(settings: Settings, shapes: Shapes) -> LateFusionGRU:
    """A freshly initialised model (torch's default initialisation, from torch's global generator).

    Raises
    ------
    RecipeError
        the window is not a multiple of `settings.patch`, or there are no features of the day.
    """
    check_patches(shapes, settings.patch)
    if not shapes["day_features"]:
        raise RecipeError("late_fusion_gru reads features of the day, and the arm has none", key="kind")
    return LateFusionGRU(shapes, settings)
