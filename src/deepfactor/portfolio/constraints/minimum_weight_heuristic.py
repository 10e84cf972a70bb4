"""Fewer names: each held one weighs at least a minimum. A heuristic, off unless it is asked for.

Exactly this ("either nothing or at least so much") is no linear program. So the day is solved twice: names that the
first answer gives less than the minimum are barred from the second, the others have it as their least weight. The
second answer keeps the minimum, but another choice of names may have scored better; Bertsimas & Shioda (2009) solve it
exactly. At most (1 - cash) / minimum names are held, and the frozen.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Float64
from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Bounds, Rebalance

FAMILY = "names"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "minimum_weight_heuristic": "最小权重（启发式）",
}


class Settings(Spec):
    """Its settings."""

    minimum: float = Field(default=0.0, ge=0.0, lt=1.0, description="fraction of the book; 0 = off")


def limits(settings: Settings, r: Rebalance, invested: float) -> Bounds:
    """The first time no name has a limit."""
    free = np.full(len(r), np.inf)
    return Bounds("minimum_weight_heuristic", FAMILY, r.symbols, -free, free, np.zeros(len(r)))


def limits_again(settings: Settings, r: Rebalance, invested: float, weights: Float64) -> Bounds | None:
    """The second time, given the first answer's `weights` (n,): 0 or at least the minimum; the frozen as they are."""
    if settings.minimum == 0:
        return None
    kept = weights >= settings.minimum
    lower = np.where(kept & ~r.frozen, settings.minimum, -np.inf)
    upper = np.where(~kept & ~r.frozen, 0.0, np.inf)
    return Bounds("minimum_weight_heuristic", FAMILY, r.symbols, lower, upper, np.zeros(len(r)))
