"""No-trade list: names that are left alone, at their drifted weight."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Bounds, Rebalance

FAMILY = "no_trade"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "no_trade": "禁止交易名单",
}


class Settings(Spec):
    """Its settings."""

    symbols: tuple[str, ...] = Field(
        default=(), description="names that are neither bought nor sold; who is not held stays out"
    )


def limits(settings: Settings, r: Rebalance, invested: float) -> Bounds:
    """One bound a listed name: weight = drifted weight; the others have none."""
    room = np.where(np.isin(r.symbols, settings.symbols), 0.0, np.inf)
    return Bounds("no_trade", FAMILY, r.symbols, 0.0 - room, room, r.previous)
