"""`top_ic`: minus the weighted correlation of a day's predictions with the ranked labels; the best stocks weigh most.

A stock whose label has the rank u, 0 = lowest, 1 = highest, weighs exp(strength·u): with strength 3 the best weighs
twenty times the worst. With strength 0 it is `ic`. A choice of ours, in the manner of the weighted correlations of
Pinto da Costa and Soares (2005).
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from deepfactor.core.spec import Spec

_EPSILON = 1e-8  # keeps a day without spread at a loss of 0 instead of NaN
#: Labels are ranks of variance 1, see `deepfactor.training.samples.standardise`.
_WIDTH = 12.0**0.5

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "top_ic": "头部加权IC",
}


class Settings(Spec):
    """How much more the best stocks weigh."""

    strength: float = Field(default=3.0, ge=0, le=50, description="the best weighs exp(strength) times the worst")


def target(settings: Settings) -> Literal["rank", "zscore"]:
    """Ranks, which the weights are of too."""
    return "rank"


def loss(settings: Settings, prediction: Tensor, target: Tensor) -> Tensor:
    """−Σw(p − p̄)(y − ȳ) / √(Σw(p − p̄)²·Σw(y − ȳ)²), means weighted; both (m,), a scalar results."""
    weight = torch.softmax(settings.strength * target / _WIDTH, dim=0)
    p = prediction - (weight * prediction).sum()
    y = target - (weight * target).sum()
    root = weight.sqrt()
    correlation: Tensor = (weight * p * y).sum() / ((root * p).norm() * (root * y).norm() + _EPSILON)
    return -correlation
