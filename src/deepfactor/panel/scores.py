"""`Scores`: one number a stock and day, aligned with a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from deepfactor.core.arrays import Dates, Float64, Indices, Symbols


@dataclass(frozen=True)
class Scores:
    """A factor. Row t uses only what was known at the close of day t; higher = expected to do better.

    Attributes
    ----------
    name : str
    dates : (T,); symbols : (N,)
        those of the panel it is aligned with.
    values : (T, N) float64
        NaN = no score.
    dropped : mapping of reason to count
        rows of the source that found no place here.
    """

    name: str
    dates: Dates
    symbols: Symbols
    values: Float64
    dropped: Mapping[str, int] = field(default_factory=dict)

    def scored_days(self) -> Indices:
        """Rows with at least one score."""
        return np.flatnonzero(np.isfinite(self.values).any(axis=1))
