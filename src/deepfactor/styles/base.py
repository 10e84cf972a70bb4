"""`Styles`: style exposures of every stock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Styles:
    """Exposures of a style set.

    Attributes
    ----------
    exposures : mapping of style name to (T, N) float32
        z-scored a day (cap-weighted mean 0, equal-weighted standard deviation 1); NaN = no exposure.
    absent : mapping of style name to why this market can't have it.
    """

    exposures: Mapping[str, NDArray[np.float32]]
    absent: Mapping[str, str]
