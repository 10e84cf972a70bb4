"""`lightgbm`: gradient-boosted trees by LightGBM (Ke et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, TypedDict

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Float32, Float64, Integers
from deepfactor.core.spec import Spec
from deepfactor.cross_section.ranks import average_rank
from deepfactor.training.weightings.base import LabelledRows, shares
from deepfactor.training.weightings.validation import best_round

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "leaves": "叶数",
    "min_rows": "叶最少样本",
    "objective": "目标函数",
    "grades": "相关性等级数",
    "truncation": "截断位置",
}


class Settings(Spec):
    """Common values for returns, which are mostly noise: slow steps, big leaves. Not tuned on test years."""

    rounds: int = Field(
        default=500, ge=1, le=100_000, description="trees at most; validation takes a multiple of `check_every`"
    )
    check_every: int = Field(default=25, ge=1, description="trees between two validations")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="what each tree adds is multiplied by it")
    leaves: int = Field(default=31, ge=2, le=10_000, description="leaves of a tree at most")
    min_rows: int = Field(default=1000, ge=1, description="stock-days a leaf holds at least")
    column_share: float = Field(default=0.7, gt=0, le=1, description="share of columns that a tree may use")
    row_share: float = Field(default=0.7, gt=0, le=1, description="share of rows that a tree sees")
    strength: float = Field(default=1.0, ge=0, description="L2 penalty of the leaves")
    objective: Literal["squared_error", "lambdarank"] = Field(
        default="squared_error", description="squared error, or the order of a day's best (Burges 2010)"
    )
    grades: int = Field(default=10, ge=2, le=1000, description="lambdarank: a day's labels in so many equal grades")
    truncation: int = Field(default=100, ge=1, le=100_000, description="lambdarank: places from the top that count")


class TreesState(TypedDict):
    """Trees in the library's own format, and how many of them."""

    trees: str
    rounds: int


@dataclass(frozen=True)
class Trees:
    """`booster`'s first `rounds` trees."""

    booster: Any
    rounds: int

    def predict(self, x: Float32) -> Float64:
        return np.asarray(self.booster.predict(x, num_iteration=self.rounds, num_threads=1), np.float64)

    def importance(self) -> Float64:
        """Gain of the splits by column, as shares."""
        return shares(np.asarray(self.booster.feature_importance("gain", iteration=self.rounds), np.float64))

    def state(self) -> TreesState:
        return {"trees": self.booster.model_to_string(num_iteration=self.rounds), "rounds": self.rounds}


def check() -> None:
    """Nothing that deepfactor doesn't bring."""


def fit(settings: Settings, train: LabelledRows, valid: LabelledRows, seed: int) -> Trees:
    """Trees on the squared error or the order of each day, as many as are judged best on `valid`."""
    library, s = _library(), settings
    parameters = {
        "objective": "regression",
        "learning_rate": s.learning_rate,
        "num_leaves": s.leaves,
        "min_data_in_leaf": s.min_rows,
        "feature_fraction": s.column_share,
        "bagging_fraction": s.row_share,
        "bagging_freq": 1,
        "lambda_l2": s.strength,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,  # with one thread: the same trees as by rows, sooner, without a second copy
        "verbosity": -1,
    }
    if s.objective == "lambdarank":
        parameters |= {
            "objective": "lambdarank",
            "label_gain": list(range(s.grades)),
            "lambdarank_truncation_level": s.truncation,
        }
        rows = library.Dataset(
            train.x, _graded(train, s.grades), weight=train.weight, group=np.diff(train.starts), free_raw_data=True
        )
    else:
        rows = library.Dataset(train.x, train.y, weight=train.weight, free_raw_data=True)
    booster = library.train(parameters, rows, s.rounds)

    def part(first: int, stop: int) -> Float64:
        return np.asarray(booster.predict(valid.x, first, stop - first, num_threads=1), np.float64)

    return Trees(booster, best_round(part, s.rounds, s.check_every, valid))


def _graded(table: LabelledRows, grades: int) -> Integers:
    """Grades 0 … `grades` − 1 of each day's labels, of equal size; (n,)."""
    days = zip(table.starts[:-1], table.starts[1:], strict=True)
    ranks = [(average_rank(table.y[a:b]) - 0.5) / (b - a) for a, b in days]
    return np.minimum((np.concatenate(ranks) * grades).astype(np.int32), grades - 1)


def restore(state: TreesState) -> Trees:
    """The fitted trees whose `state` this is."""
    return Trees(_library().Booster(model_str=state["trees"]), state["rounds"])


def _library() -> ModuleType:
    """Loaded where it is used: it takes longer than all of deepfactor."""
    return import_module("lightgbm")
