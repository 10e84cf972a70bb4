"""`xgboost`: gradient-boosted trees by XGBoost (Chen and Guestrin 2016), Study A's second weighting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import xgboost
from pydantic import Field

from deepfactor.core.arrays import Float32, Float64
from deepfactor.core.spec import Spec
from deepfactor.training.weightings.base import LabelledRows, shares
from deepfactor.training.weightings.validation import best_round

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "depth": "深度",
    "min_weight": "叶最少样本",
}


class Settings(Spec):
    """The study names XGBoost alone; the values are ours: slow, shallow trees. Not tuned on test years."""

    rounds: int = Field(
        default=300, ge=1, le=100_000, description="trees at most; validation takes a multiple of `check_every`"
    )
    check_every: int = Field(default=25, ge=1, description="trees between two validations")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="what each tree adds is multiplied by it")
    depth: int = Field(default=5, ge=1, le=20, description="depth of a tree at most")
    min_weight: float = Field(default=500.0, ge=0, description="stock-days a leaf holds at least")
    column_share: float = Field(default=0.7, gt=0, le=1, description="share of columns that a tree may use")
    row_share: float = Field(default=0.7, gt=0, le=1, description="share of rows that a tree sees")
    strength: float = Field(default=1.0, ge=0, description="L2 penalty of the leaves")


class TreesState(TypedDict):
    """Trees in the library's own format, and how many of them."""

    trees: str
    rounds: int


@dataclass(frozen=True)
class Trees:
    """`booster`'s first `rounds` trees."""

    booster: xgboost.Booster
    rounds: int

    def predict(self, x: Float32) -> Float64:
        scores = self.booster.inplace_predict(x, iteration_range=(0, self.rounds))
        return np.asarray(scores, np.float64)

    def importance(self) -> Float64:
        """Gain of the splits by column, as shares."""
        gain = np.zeros(self.booster.num_features())
        for name, value in self.booster[: self.rounds].get_score(importance_type="total_gain").items():
            gain[int(name.removeprefix("f"))] = value
        return shares(gain)

    def state(self) -> TreesState:
        return {"trees": self.booster[: self.rounds].save_raw("json").decode(), "rounds": self.rounds}


def check() -> None:
    """Nothing that deepfactor doesn't bring."""


def fit(settings: Settings, train: LabelledRows, valid: LabelledRows, seed: int) -> Trees:
    """Trees on the squared error, as many as are judged best on `valid`."""
    s = settings
    parameters = {
        "objective": "reg:squarederror",
        "eta": s.learning_rate,
        "max_depth": s.depth,
        "min_child_weight": s.min_weight,
        "colsample_bytree": s.column_share,
        "subsample": s.row_share,
        "lambda": s.strength,
        "tree_method": "hist",
        "seed": seed,
        "nthread": 1,
    }
    # binned once, without a copy of the table (QuantileDMatrix)
    booster = xgboost.train(
        parameters, xgboost.QuantileDMatrix(train.x, train.y, weight=train.weight, nthread=1), s.rounds
    )

    def part(first: int, stop: int) -> Float64:
        return np.asarray(booster.inplace_predict(valid.x, iteration_range=(first, stop)), np.float64)

    return Trees(booster, best_round(part, s.rounds, s.check_every, valid))


def restore(state: TreesState) -> Trees:
    """The fitted trees whose `state` this is."""
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(state["trees"].encode()))
    return Trees(booster, state["rounds"])
