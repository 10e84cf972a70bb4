"""`Exposures`: industry, size and value of each stock on each day, what an orthogonal layer may project out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.core.arrays import Float32, Indices, Int16, Symbols


@dataclass(frozen=True)
class Exposures:
    """As known at the close; size stands in the training arrays already.

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

    def between(self, rows: slice) -> Exposures:
        """Some of the days."""
        return replace(self, industry=self.industry[rows], bp=self.bp[rows])

    def dummies(self, t: int, stocks: Indices) -> Float32:
        """(b, industries): 1 in the column of the stock's industry; a row of zeros where it has none."""
        industry = self.industry[t, stocks]
        found: Float32 = (industry[:, None] == np.arange(len(self.industries))).astype(np.float32)
        return found

    def fingerprint(self, days: range, columns: Indices, symbols: Symbols) -> str:
        """Hash of what `columns` have on `days`, whatever other industries the market knows."""
        rows = slice(days.start, days.stop)
        industry = np.asarray(self.industry[rows][:, columns])
        found, numbers = np.unique(industry, return_inverse=True)
        names = ["" if i < 0 else self.industries[i] for i in found.tolist()]
        digest = hashlib.sha256(json.dumps([names, symbols[columns].tolist()]).encode())
        digest.update(np.ascontiguousarray(numbers.reshape(industry.shape), np.int64).tobytes())
        digest.update(np.ascontiguousarray(self.bp[rows][:, columns]).tobytes())
        return digest.hexdigest()[:16]
