"""`ridge`: a linear weighting with an L2 penalty (Hoerl and Kennard 1970), in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypedDict

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Float32, Float64
from deepfactor.core.spec import Spec
from deepfactor.training.weightings.base import LabelledRows, shares
from deepfactor.training.weightings.validation import judged

_CHUNK = 200_000  # rows at a time in float64


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "strengths": "惩罚强度",
}


class Settings(Spec):
    """Its settings."""

    strengths: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        default=(1e-4, 1e-3, 1e-2, 1e-1, 1.0),
        min_length=1,
        description="penalties that validation chooses from, in units of the number of rows: 1 doubles a standardised "
        "column's diagonal",
    )


class RidgeState(TypedDict):
    """See `Ridge`."""

    weights: list[float]
    strength: float


@dataclass(frozen=True)
class Ridge:
    """`weights` (k,). No intercept: within a day it changes no order."""

    weights: Float64
    strength: float

    def predict(self, x: Float32) -> Float64:
        scores: Float64 = x.astype(np.float64) @ self.weights
        return scores

    def importance(self) -> Float64:
        """Absolute weights as shares; the columns have the same spread."""
        return shares(np.abs(self.weights))

    def state(self) -> RidgeState:
        return {"weights": self.weights.tolist(), "strength": self.strength}


def check() -> None:
    """Nothing that deepfactor doesn't bring."""


def fit(settings: Settings, train: LabelledRows, valid: LabelledRows, seed: int) -> Ridge:
    """Weights of the strength that is judged best on `valid`; `seed` plays no part."""
    k = train.x.shape[1]
    square, product = np.zeros((k, k)), np.zeros(k)
    for start in range(0, len(train.x), _CHUNK):
        x = train.x[start : start + _CHUNK].astype(np.float64)
        y = train.y[start : start + _CHUNK]
        weighted = x if train.weight is None else x * train.weight[start : start + _CHUNK, None]
        square += weighted.T @ x
        product += weighted.T @ y
    candidates = [
        Ridge(np.asarray(np.linalg.solve(square + strength * len(train.x) * np.eye(k), product), np.float64), strength)
        for strength in settings.strengths
    ]
    return max(candidates, key=lambda ridge: judged(ridge.predict(valid.x), valid))


def restore(state: RidgeState) -> Ridge:
    """The fitted regression whose `state` this is."""
    return Ridge(np.array(state["weights"], np.float64), state["strength"])
