"""Each name's active weight within ± limit: |w - (1 - cash) * benchmark| <= limit."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Bounds, Rebalance

FAMILY = "stock"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "stock_active_weight": "个股主动权重",
}


class Settings(Spec):
    """Its settings."""

    limit: float = Field(default=0.005, ge=0.0, description="fraction of the book")


def limits(settings: Settings, r: Rebalance, invested: float) -> Bounds:
    """One bound a name.

    A name that can't be traded into its bound (frozen, or wanted but not buyable) is held where it is, and recorded
    as a relaxation with that reason.
    """
    wide = np.full(len(r), settings.limit)
    return Bounds("stock_active_weight", FAMILY, r.symbols, 0.0 - wide, wide, invested * r.benchmark)
