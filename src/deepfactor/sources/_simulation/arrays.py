"""Names of the engine's array types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Single = NDArray[np.float32]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int64]
Dates = NDArray[np.datetime64]
Names = NDArray[np.str_]
