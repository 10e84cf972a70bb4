"""Restricted list: names that are never bought, and names that must be sold out."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Bounds, Rebalance

FAMILY = "restricted"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "restricted": "限制名单",
}


class Settings(Spec):
    """Its settings."""

    never_buy: tuple[str, ...] = Field(default=(), description="symbols that may be held and sold only")
    must_sell: tuple[str, ...] = Field(default=(), description="symbols whose weight has to be 0")


def limits(settings: Settings, r: Rebalance, invested: float) -> Bounds:
    """One bound a listed name; the others have none.

    A frozen name that must be sold stays, and is recorded as a relaxation with that reason.
    """
    upper = np.where(np.isin(r.symbols, settings.never_buy), r.previous, np.inf)
    upper = np.where(np.isin(r.symbols, settings.must_sell), 0.0, upper)
    return Bounds("restricted", FAMILY, r.symbols, np.full(len(r), -np.inf), upper, np.zeros(len(r)))
