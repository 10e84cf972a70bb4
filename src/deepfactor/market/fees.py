"""What a trade costs: a flat rate a side, or the dated schedule of taxes and fees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Float64, Floats
from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec

Side = Literal["buy", "sell"]


@dataclass(frozen=True)
class FeeSchedule:
    """Rates on the traded amount, from `since` until the next row. `stamp_duty` is paid by the seller alone."""

    since: str
    stamp_duty: float
    transfer: float
    handling: float
    regulatory: float
    source: str


#: In force since the date; rates of the amount a side.
SCHEDULE: tuple[FeeSchedule, ...] = (
    FeeSchedule("2008-09-19", 1e-3, 2e-5, 4.87e-5, 2e-5, "MOF/STA: stamp duty 0.1 % on sells alone"),
    FeeSchedule("2022-04-29", 1e-3, 1e-5, 4.87e-5, 2e-5, "ChinaClear: transfer fee 0.002 % to 0.001 %"),
    FeeSchedule("2023-08-28", 5e-4, 1e-5, 3.41e-5, 2e-5, "MOF/STA 2023-39: stamp duty halved; SSE/SZSE: handling fee"),
)


def schedule_on(date: np.datetime64) -> FeeSchedule:
    """The row of `SCHEDULE` in force on a date; a `DataError` before the first."""
    rows = [row for row in SCHEDULE if np.datetime64(row.since) <= date]
    if not rows:
        raise DataError(f"the fee schedule begins on {SCHEDULE[0].since}, asked for {date}: use flat costs before it")
    return rows[-1]


class Costs(Spec):
    """Cost of a trade, the same for the optimiser and the simulator.

    Rates are fractions of the amount, a side.
    """

    kind: Literal["flat", "schedule"] = Field(
        default="flat", description="one rate; or the taxes and fees in force on the day, and a commission"
    )
    rate: float = Field(default=0.0015, ge=0, lt=0.5, description="flat: the rate")
    commission: float = Field(default=0.00025, ge=0, lt=0.5, description="schedule: the broker's rate")
    minimum: float = Field(default=5.0, ge=0, le=10_000, description="schedule: least commission of an order, in CNY")
    slippage: float = Field(default=0.0, ge=0, lt=0.5, description="rate that is added to either")

    def cost(self, amount: Floats, side: Side, date: np.datetime64) -> Float64:
        """Cost in CNY of orders of `amount` CNY each (≥ 0, any shape) on one side and date; 0 for an amount of 0.

        Not rounded: the book rounds each order's cost to fen.
        """
        traded = np.asarray(amount, dtype=np.float64)
        if self.kind == "flat":
            return traded * (self.rate + self.slippage)
        row = schedule_on(date)
        taxes = row.transfer + row.handling + row.regulatory + (row.stamp_duty if side == "sell" else 0.0)
        commission = np.where(traded > 0, np.maximum(traded * self.commission, self.minimum), 0.0)
        return traded * (taxes + self.slippage) + commission
