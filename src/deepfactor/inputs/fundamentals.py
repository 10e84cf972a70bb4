"""`fundamentals`: the companies' last quarters as known on each day, (q, b, 2k + 1) float32, oldest quarter first.

k items (see `features.quarters`), each quarter and item over the batch clipped at median ± 5·1.4826·MAD and z-scored,
missing = 0; then k masks, 1 = known; then 1 where the company made a loss.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from deepfactor.core.arrays import Bools, Float32, Float64, Indices, Symbols
from deepfactor.features.quarters import FundamentalQuarters, QuarterSettings, fundamental_quarters
from deepfactor.inputs.base import DayArrays
from deepfactor.inputs.standardising import zscored
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

KEPT: Final = True
FOLDER = "fundamentals"


class Settings(QuarterSettings):
    """Which items of how many quarters."""


@dataclass(frozen=True)
class Quarters(FundamentalQuarters):
    """See `Held`."""

    @property
    def days(self) -> int:
        """T."""
        return len(self.change)

    def day(self, t: int, stocks: Indices, size: Float64) -> DayArrays:
        """Items, masks and loss flags of the batch."""
        return {"fundamentals": self.standard(t, stocks)}

    def standard(self, t: int, stocks: Indices) -> Float32:
        """The day's quarters of the batch `stocks` (b,): (q, b, 2k + 1)."""
        x, loss = self.at(t, stocks)
        items = np.ascontiguousarray(x.transpose(0, 2, 1))  # (q, k, b)
        out = np.empty((len(x), len(stocks), 2 * x.shape[2] + 1), np.float32)
        out[:, :, : x.shape[2]] = zscored(items).transpose(0, 2, 1)
        out[:, :, x.shape[2] : -1] = np.isfinite(x)
        out[:, :, -1] = loss
        return out

    def widths(self) -> Mapping[str, int]:
        """Channels a quarter, and quarters."""
        return {"fundamentals": 2 * len(self.names) + 1, "quarters": self.values.shape[1]}

    def fingerprint(self, days: range, columns: Indices, symbols: Symbols) -> str:
        """Hashed where they change: whole they are gigabytes a fold."""
        digest = hashlib.sha256(json.dumps([self.names, symbols[columns].tolist()]).encode())
        before = np.full(len(columns), -2, np.int32)
        for t in days:
            now = self.change[t, columns]
            new = np.flatnonzero(now != before)
            for array in (new, self.values[now[new]], self.loss[now[new]], self.value[t, columns]):
                digest.update(np.ascontiguousarray(array).tobytes())
            before = now
        return digest.hexdigest()[:16]

    def card(self) -> Mapping[str, object]:
        """The items, and those that the market can't give."""
        absent = dict(self.absent)
        return {"fundamentals": list(self.names), "fundamentals_absent": absent, "quarters": self.values.shape[1]}


HELD = Quarters


def prepare(settings: Settings, panel: Panel, universe: Universe, eligible: Bools) -> Quarters:
    """Of all stocks, whoever may be scored."""
    made = fundamental_quarters(settings, panel)
    return Quarters(made.names, made.absent, made.values, made.loss, made.change, made.value)
