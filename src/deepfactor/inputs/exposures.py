"""`exposures`: what an orthogonal layer may project out, (b, industries + 2) float32.

A dummy an industry; then ln cap and book to price, each over the batch clipped at median ± 5·1.4826·MAD and z-scored,
missing = 0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from deepfactor.core.arrays import Bools, Float32, Float64, Indices, Int16, Symbols
from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.inputs.base import DayArrays
from deepfactor.inputs.standardising import zscored
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

KEPT: Final = True
FOLDER = "exposures"


class Settings(Spec):
    """The input has none."""


@dataclass(frozen=True)
class Exposures:
    """Industry and value of each stock on each day; size stands in the training arrays already.

    Attributes
    ----------
    industries : names
    industry : (T, N) int16
        index into `industries`; −1 = none known.
    bp : (T, N) float32
        equity ÷ total market value; NaN = not known.
    """

    industries: tuple[str, ...]
    industry: Int16
    bp: Float32

    @property
    def days(self) -> int:
        """T."""
        return len(self.industry)

    def between(self, rows: slice) -> Self:
        """Some of the days."""
        return replace(self, industry=self.industry[rows], bp=self.bp[rows])

    def dummies(self, t: int, stocks: Indices) -> Float32:
        """(b, industries): 1 in the column of the stock's industry; a row of zeros where it has none."""
        industry = self.industry[t, stocks]
        columns: Float32 = (industry[:, None] == np.arange(len(self.industries))).astype(np.float32)
        return columns

    def day(self, t: int, stocks: Indices, size: Float64) -> DayArrays:
        """Dummies, size and value of the batch."""
        styles = np.stack([size, self.bp[t, stocks]]).astype(np.float32)
        return {"exposures": np.concatenate([self.dummies(t, stocks), zscored(styles).T], axis=1)}

    def widths(self) -> Mapping[str, int]:
        """Columns."""
        return {"exposures": len(self.industries) + 2}

    def card(self) -> Mapping[str, object]:
        """What they are of."""
        return {"exposures": ["industry", "size", "value"]}

    def fingerprint(self, days: range, columns: Indices, symbols: Symbols) -> str:
        """Hash of what `columns` have on `days`, whatever other industries the market knows."""
        rows = slice(days.start, days.stop)
        industry = np.asarray(self.industry[rows][:, columns])
        present, numbers = np.unique(industry, return_inverse=True)
        names = ["" if i < 0 else self.industries[i] for i in present.tolist()]
        digest = hashlib.sha256(json.dumps([names, symbols[columns].tolist()]).encode())
        digest.update(np.ascontiguousarray(numbers.reshape(industry.shape), np.int64).tobytes())
        digest.update(np.ascontiguousarray(self.bp[rows][:, columns]).tobytes())
        return digest.hexdigest()[:16]


HELD = Exposures


def prepare(settings: Settings, panel: Panel, universe: Universe, eligible: Bools) -> Exposures:
    """Of all stocks, whoever may be scored.

    Raises
    ------
    DataError
        a market without the companies' equity or their market values.
    """
    reports = panel.fundamentals
    if reports is None or "total_equity" not in reports.items or "total_mv" not in panel.fields:
        raise DataError("exposures to project out need the companies' total_equity and total_mv: ingest them")
    value = np.asarray(panel["total_mv"], np.float64)
    bp = np.divide(reports.in_force("total_equity"), value, where=value > 0, out=np.full(value.shape, np.nan))
    return Exposures(universe.industries, np.asarray(universe.industry), bp.astype(np.float32))
