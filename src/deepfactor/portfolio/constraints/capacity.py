"""Capacity: what is traded of a name is at most a share of its average daily volume (in CNY)."""

from __future__ import annotations

from pydantic import Field

from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.portfolio.problem import Bounds, Rebalance

FAMILY = "capacity"


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "capacity": "成交容量",
}


class Settings(Spec):
    """Its settings."""

    share: float = Field(
        default=0.1,
        gt=0.0,
        description="fraction of the name's mean amount of the 20 days up to the signal that a rebalance may trade",
    )


def limits(settings: Settings, r: Rebalance, invested: float) -> Bounds:
    """One bound a name: |weight - drifted weight| * value of the book <= share * average daily amount.

    A name that did not trade at all in these days can't be traded.

    Raises
    ------
    DataError
        the rebalance brings no average daily volume, or not the book's value.
    """
    if r.adv is None or r.value is None:
        raise DataError(
            f"rebalance of {r.date}: capacity needs adv and value: the market must have vwap and volume, or leave "
            "capacity out of the constraints"
        )
    room = settings.share * r.adv / r.value
    return Bounds("capacity", FAMILY, r.symbols, 0.0 - room, room, r.previous)
