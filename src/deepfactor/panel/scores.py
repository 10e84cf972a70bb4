"""`Scores`: one number a stock and day, aligned with a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepfactor.panel.panel import Bools, Dates, Floats, Names


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
    symbols: Names
    values: NDArray[np.float64]
    dropped: Mapping[str, int] = field(default_factory=dict)

    def scored_days(self) -> NDArray[np.intp]:
        """Rows with at least one score."""
        return np.flatnonzero(np.isfinite(self.values).any(axis=1))


def standardise_by_day(values: Floats, mask: Bools) -> NDArray[np.float64]:
    """Z-score of each row over `mask` and finite values (population standard deviation); NaN elsewhere.

    A row without spread becomes zeros.
    """
    inside = mask & np.isfinite(values)
    x = np.where(inside, values, 0.0).astype(np.float64)
    n = np.maximum(inside.sum(axis=1, keepdims=True), 1)
    x = np.where(inside, x - x.sum(axis=1, keepdims=True) / n, 0.0)
    scale = np.sqrt((x * x).sum(axis=1, keepdims=True) / n)
    return np.where(inside, x / np.where(scale > 0, scale, 1.0), np.nan)
