"""`ic`: minus the Pearson correlation of a day's predictions with the ranked (Study B) or z-scored (Study A) labels.

Blind to the level and scale of the prediction: only what sets stocks apart within the day has a gradient.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from deepfactor.core.spec import Spec

_EPSILON = 1e-8  # keeps a day without spread at a loss of 0 instead of NaN


class Settings(Spec):
    """What predictions are correlated with."""

    target: Literal["rank", "zscore"] = Field(
        default="rank", description="labels of a day as ranks, or z-scored and clipped at ±3"
    )


def target(settings: Settings) -> Literal["rank", "zscore"]:
    """The setting."""
    return settings.target


def loss(settings: Settings, prediction: Tensor, target: Tensor) -> Tensor:
    """−Σ(p − p̄)(y − ȳ) / (‖p − p̄‖·‖y − ȳ‖) over one day's m labelled stocks; both (m,), a scalar results."""
    p = prediction - prediction.mean()
    y = target - target.mean()
    correlation: Tensor = (p * y).sum() / (p.norm() * y.norm() + _EPSILON)
    return -correlation
