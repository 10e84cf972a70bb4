"""`listnet`: listwise cross-entropy of the day's order, top one (Cao, Qin, Liu, Tsai and Li 2007, ListNet).

A day's z-scored labels and its predictions each become a distribution over the stocks by a softmax, of labels divided
by `temperature`: the loss is the cross-entropy of the second under the first. The best stocks have most of the mass, so
they have most of the gradient; what sets the others apart hardly counts. Blind to the level of the prediction.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from deepfactor.core.spec import Spec

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "listnet": "列表排序损失（ListNet）",
    "temperature": "温度",
}


class Settings(Spec):
    """How sharply the day's best stand out."""

    temperature: float = Field(
        default=1.0, gt=0, description="labels are divided by it: the lower, the more the best stocks weigh"
    )


def target(settings: Settings) -> Literal["rank", "zscore"]:
    """z-scored: the mass is one of distance."""
    return "zscore"


def loss(settings: Settings, prediction: Tensor, target: Tensor) -> Tensor:
    """−Σ softmax(y / temperature)·log softmax(p) over one day's m labelled stocks; both (m,), a scalar results."""
    mass = torch.softmax(target / settings.temperature, dim=0)
    return -(mass * torch.log_softmax(prediction, dim=0)).sum()
