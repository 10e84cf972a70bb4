"""Cash within a band, in place of the fixed cash of the settings."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Rebalance, Rows

FAMILY = "cash"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "cash_band": "现金区间",
}


class Settings(Spec):
    """Its settings."""

    lower: float = Field(default=0.0, ge=0.0, lt=1.0, description="least cash, as a fraction of the book")
    upper: float = Field(default=0.02, ge=0.0, lt=1.0, description="most cash, as a fraction of the book")

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"lower {self.lower} is above upper {self.upper}")
        return self


def limits(settings: Settings, r: Rebalance, invested: float) -> Rows:
    """One row: lower <= 1 - sum of weights <= upper, which frees the sum of weights from 1 - cash.

    The settings' cash stays what active weights are measured from. So industries that are neutral, each of them, hold
    cash at exactly that.
    """
    lower, upper = np.array([settings.lower]), np.array([settings.upper])
    return Rows("cash_band", FAMILY, ("cash",), np.full((1, len(r)), -1.0), lower, upper, -np.ones(1), frees_cash=True)
