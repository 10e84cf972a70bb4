"""Members of the index hold at least a share of what is invested."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Rebalance, Rows

FAMILY = "constituents"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "constituents_weight": "成分股权重",
    "members": "成分股",
}


class Settings(Spec):
    """Its settings."""

    minimum: float = Field(default=0.8, ge=0.0, le=1.0, description="least share of what is invested")


def limits(settings: Settings, r: Rebalance, invested: float) -> Rows:
    """One row: sum of members' weights / (1 - cash) >= minimum."""
    share = r.member[None, :] / invested
    lower, upper = np.array([settings.minimum]), np.array([np.inf])
    return Rows("constituents_weight", FAMILY, ("members",), share, lower, upper, np.zeros(1))
