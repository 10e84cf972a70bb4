"""The tracking error that the risk model forecasts at most a limit: a cone, so that the day is solved by Clarabel."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Deviation, Rebalance

FAMILY = "risk"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "tracking_error": "跟踪误差",
    "annual": "年化",
}


class Settings(Spec):
    """Its settings."""

    limit: float = Field(default=0.05, gt=0.0, description="standard deviation of the active return, a year")


def limits(settings: Settings, r: Rebalance, invested: float) -> Deviation:
    """One limit on the portfolio as a whole; active is against the invested part of the book, as for all limits.

    Raises
    ------
    DataError
        the rebalance has no forecast of risk.
    """
    if r.risk is None:
        raise DataError(f"rebalance of {r.date}: tracking_error needs a risk model's forecast")
    return Deviation("tracking_error", FAMILY, np.array([settings.limit]), invested * r.benchmark, r.risk)
