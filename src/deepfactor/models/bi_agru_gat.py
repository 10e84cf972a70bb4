"""`bi_agru_gat`: BiAGRU, then graph attention over related stocks revises each stock's representation.

Study A (Haitong Securities, May 2024): attention decides how much a related stock counts. The encoder of `bi_agru` ->
Linear(256, 64) + tanh = h -> h + GAT(h) -> MLP -> 32 -> Linear(32, 1). Heads, widths and the normalisation before the
attention are our choice. Which stocks are related is the arm's graph.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models._attention import normalise
from deepfactor.models._encoders import FACTORS, BiAGRU, to_factors
from deepfactor.models._graph_attention import GraphAttention
from deepfactor.models._rounded import Precision
from deepfactor.models.base import CrossSection, Neighbours, Shapes

INPUTS = frozenset({"windows", "neighbours"})


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "heads": "注意力头数",
    "head_size": "每头维度",
    "attention_dropout": "注意力随机失活",
}


class Settings(Spec):
    """Hyper-parameters; our choice."""

    hidden: int = Field(default=64, ge=1, description="width of the embedding, of each GRU direction and of the MLP")
    layers: int = Field(default=2, ge=1, le=64, description="layers of the bidirectional GRU")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="between the GRU's layers, in training")
    precision: Precision = "float32"
    heads: int = Field(default=4, ge=1, le=1024, description="heads of the graph attention")
    head_size: int = Field(default=16, ge=1, description="width of a head; a stock's vector is heads * head_size wide")
    attention_dropout: float = Field(default=0.1, ge=0, lt=1, description="on the attention's weights, in training")
    factors: int = Field(default=FACTORS, ge=1, description="number of deep factors before the last layer")


class BiAGRUGAT(nn.Module):
    """See the module's docstring. A stock's score depends on its own window and on those of its neighbours."""

    def __init__(self, features: int, settings: Settings) -> None:
        super().__init__()
        s = settings
        width = s.heads * s.head_size
        self.encoder = BiAGRU(features, s.hidden, s.layers, s.dropout, s.precision)
        self.represent = nn.Linear(self.encoder.width, width)
        self.relate = GraphAttention(width, s.heads, s.head_size, s.attention_dropout)
        self.mlp = to_factors(width, s.hidden, s.factors)
        self.head = nn.Linear(s.factors, 1)

    def forward(self, batch: CrossSection) -> Tensor:
        """Scores (b,) of the day's stocks; only their order within the day means anything under the IC loss."""
        scores: Tensor = self.head(self.factors(batch)).squeeze(1)  # (b,)
        return scores

    def factors(self, batch: CrossSection) -> Tensor:
        """The deep factors (b, 32) of the day.

        Raises
        ------
        ValueError
            the batch has no neighbours.
        """
        own = torch.tanh(self.represent(self.encoder(batch.windows)))  # (b, heads * head_size)
        deep: Tensor = self.mlp(own + self.relate(normalise(own), Neighbours(batch["neighbours"], batch["similarity"])))
        return deep


def build(settings: Settings, shapes: Shapes) -> BiAGRUGAT:
    """A freshly initialised model (torch's default initialisation, attention Glorot, from torch's global generator)."""
    return BiAGRUGAT(shapes.features, settings)
