"""Must-hold list: names with a minimum weight each."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Rebalance, Rows

FAMILY = "must_hold"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "must_hold": "必持名单",
}


class Settings(Spec):
    """Its settings."""

    weights: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] = Field(
        default_factory=dict, description="symbol → least fraction of the book"
    )


def limits(settings: Settings, r: Rebalance, invested: float) -> Rows:
    """One row a listed name: weight >= its minimum.

    A name that is not in the rebalance, or can't be bought up to its minimum, makes the row impossible: the day has no
    portfolio unless `relax_order` lets "must_hold" give way. It is never passed over.
    """
    names = tuple(settings.weights)
    coefficients = (r.symbols[None, :] == np.array(names, dtype=np.str_)[:, None]).astype(np.float64)
    lower = np.array([settings.weights[name] for name in names], dtype=np.float64)
    return Rows("must_hold", FAMILY, names, coefficients, lower, np.full(len(names), np.inf), np.zeros(len(names)))
