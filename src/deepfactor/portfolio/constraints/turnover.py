"""What a rebalance trades at most. None on the first rebalance, which is built from cash."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Rebalance, Rows

FAMILY = "turnover"


class Settings(Spec):
    """Its settings."""

    limit: float = Field(default=0.3, ge=0.0, description="fraction of the book a rebalance")
    sided: Literal["one", "two"] = Field(default="two", description="two counts buys and sells, one half of that")
    turnover_from: Literal["drifted", "target"] = Field(
        default="drifted",
        description="changes are counted from the drifted weights (what has to be traded), or from the last target "
        "(then frozen names don't count: their drift is no trade)",
    )


def limits(settings: Settings, r: Rebalance, invested: float) -> Rows:
    """One row on trades; none on the first rebalance.

    Raises
    ------
    DataError
        counted from the target, but the rebalance does not say what the last target was.
    """
    origin = r.previous if settings.turnover_from == "drifted" else r.previous_target
    if origin is None and not r.first:
        raise DataError(f"rebalance of {r.date}: turnover_from = 'target' needs previous_target")
    count = 0 if r.first else 1
    weight = np.where(r.frozen, 0.0, 0.5 if settings.sided == "one" else 1.0)
    return Rows(
        "turnover",
        FAMILY,
        (f"{settings.sided}-sided",) * count,
        weight[None, :][:count],
        np.full(count, -np.inf),
        np.full(count, settings.limit),
        np.zeros(count),
        None if r.first else origin,
    )
