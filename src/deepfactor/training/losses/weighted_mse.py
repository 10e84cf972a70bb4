"""`weighted_mse`: squared error that weighs the best stocks of the day more (Study B).

s = relu(y − τ), w = 1 + α·(sigmoid(s) − 0.5), loss = mean of w·(p − y)². With τ = 1 and α = 2, w runs from 1 at y ≤ 1
to 2.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from deepfactor.core.spec import Spec

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "weighted_mse": "加权均方误差",
    "tau": "阈值",
}


class Settings(Spec):
    """The study's parameters."""

    tau: float = Field(default=1.0, description="z-scored label above which the weight grows")
    alpha: float = Field(default=2.0, ge=0, description="the weight's limit is 1 + alpha / 2")


def target(settings: Settings) -> Literal["rank", "zscore"]:
    """z-scored: the weight is one of distance."""
    return "zscore"


def loss(settings: Settings, prediction: Tensor, target: Tensor) -> Tensor:
    """Weighted mean squared error over one day's m labelled stocks; both (m,), the result a scalar ≥ 0."""
    weight = 1.0 + settings.alpha * (torch.sigmoid(torch.relu(target - settings.tau)) - 0.5)
    return (weight * (prediction - target).square()).mean()
