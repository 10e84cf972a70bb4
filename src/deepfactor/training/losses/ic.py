"""`ic`: minus the Pearson correlation of a day's predictions with the ranked labels (Study B).

Blind to the level and scale of the prediction: only what sets stocks apart within the day has a gradient.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from deepfactor.core.spec import Spec

TARGET: Literal["rank", "zscore"] = "rank"

_EPSILON = 1e-8  # keeps a day without spread at a loss of 0 instead of NaN


class Settings(Spec):
    """The study gives no parameters."""


def loss(settings: Settings, prediction: Tensor, target: Tensor) -> Tensor:
    """−Σ(p − p̄)(y − ȳ) / (‖p − p̄‖·‖y − ȳ‖) over one day's m labelled stocks; both (m,), a scalar results."""
    p = prediction - prediction.mean()
    y = target - target.mean()
    correlation: Tensor = (p * y).sum() / (p.norm() * y.norm() + _EPSILON)
    return -correlation
