"""A model from outside the package that draws random numbers in training: what exact resume is hardest for."""

from __future__ import annotations

from torch import Tensor, nn

from deepfactor.core.spec import Spec
from deepfactor.models.base import CrossSection, Shapes

INPUTS = frozenset({"windows", "size_rank"})


class Settings(Spec):
    rate: float = 0.3


class Noisy(nn.Module):
    def __init__(self, features: int, rate: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(rate)
        self.norm = nn.BatchNorm1d(features)  # has buffers, one of them a counter
        self.head = nn.Linear(features, 1)

    def forward(self, batch: CrossSection) -> Tensor:
        mean = batch.windows.mean(dim=0)  # (b, f)
        scores: Tensor = self.head(self.norm(self.drop(mean))).squeeze(1) + 0.0 * batch["size_rank"]
        return scores


def build(settings: Settings, shapes: Shapes) -> Noisy:
    return Noisy(shapes.features, settings.rate)
