"""`row_weights`: how much each stock-day counts in training, (b,) float32; no network reads it.

``by``:

* "members": 1 of those that any of CSI 300, 500 and 1000 holds on the day, 0 of the others;
* "size": the square root of the float market value;
* "turnover": the square root of the mean amount traded over the last 20 days with a trade among 20, NaN under 10.

What isn't known weighs nothing. Weights are in any unit: a day's are taken to mean 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Bools, Float32, Float64, Indices, Symbols
from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.features._rolling import mean
from deepfactor.inputs.base import DayArrays
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

KEPT: Final = True
FOLDER = "row_weights"
#: Whose members `members` are: CSI 300, CSI 500, CSI 1000.
INDICES = ("000300.SH", "000905.SH", "000852.SH")

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "row_weights": "样本权重",
}


class Settings(Spec):
    """What weights are made of."""

    by: Literal["members", "size", "turnover"] = Field(
        default="members", description="members of CSI 300, 500 and 1000 alone; or the root of size or turnover"
    )


@dataclass(frozen=True)
class RowWeights:
    """`weight` (T, N) float32 ≥ 0, and what it is made of."""

    by: str
    weight: Float32

    @property
    def days(self) -> int:
        """T."""
        return len(self.weight)

    def between(self, rows: slice) -> Self:
        """Some of the days."""
        return replace(self, weight=self.weight[rows])

    def day(self, t: int, stocks: Indices, size: Float64) -> DayArrays:
        """``row_weights`` (b,) float32."""
        return {"row_weights": self.weight[t, stocks]}

    def widths(self) -> Mapping[str, int]:
        """None: no model is built for it."""
        return {}

    def fingerprint(self, days: range, columns: Indices, symbols: Symbols) -> str:
        """Hash of the weights; see `Held`."""
        digest = hashlib.sha256(f"{self.by}\0".encode() + "\0".join(symbols[columns].tolist()).encode())
        for t in days:
            digest.update(np.ascontiguousarray(self.weight[t][columns]).tobytes())
        return digest.hexdigest()[:16]

    def card(self) -> Mapping[str, object]:
        """What it weighs by."""
        return {"train_on": self.by}


HELD = RowWeights


def prepare(settings: Settings, panel: Panel, universe: Universe, eligible: Bools) -> RowWeights:
    """The weights of a market's days.

    Raises
    ------
    DataError
        no index with members, or the field is lacking.
    """
    made = {"members": _members, "size": _size, "turnover": _turnover}[settings.by](panel, universe)
    usable = np.isfinite(made) & (made > 0)
    return RowWeights(settings.by, np.where(usable, made, 0.0).astype(np.float32))


def _members(panel: Panel, universe: Universe) -> Float64:
    there = [universe.members[index] for index in INDICES if index in universe.members]
    if not there:
        raise DataError(f'train_on = "members": the market has members of none of {", ".join(INDICES)}')
    held: Bools = np.logical_or.reduce(there)
    return held.astype(np.float64)


def _size(panel: Panel, universe: Universe) -> Float64:
    root: Float64 = np.sqrt(panel.market_cap("float").astype(np.float64))
    return root


def _turnover(panel: Panel, universe: Universe) -> Float64:
    amount = panel["vwap"].astype(np.float64) * panel["volume"]
    root: Float64 = np.sqrt(mean(np.where(universe.traded, amount, np.nan), 20))
    return root
