"""What of a day's scores an optimiser sees: their z-scores, with clipped tails, or their ranks alone.

An optimiser buys in proportion: the sum of score × weight. So the shape of a score decides points that its order
doesn't, and a heavy right tail is mostly noise that is bought.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from deepfactor.core.arrays import Bools, Float64
from deepfactor.cross_section.clipping import clip_mad
from deepfactor.cross_section.ranks import average_rank
from deepfactor.cross_section.zscores import zscore_rows

ScoreShape = Literal["z", "winsorised", "rank"]
#: Robust deviations from the median at which ``winsorised`` clips.
REACH = 3.0


def shaped(values: Float64, mask: Bools, shape: ScoreShape = "z") -> Float64:
    """Scores of a day (N,) as an optimiser sees them, over `mask` and finite values; NaN elsewhere.

    Mean 0 and standard deviation 1 in each shape: ``z`` the z-score, ``winsorised`` that of values clipped at the
    median ± 3 robust deviations (1.4826 MAD), ``rank`` that of average ranks: uniform, equals stay equal.

    Examples
    --------
    >>> import numpy as np
    >>> shaped(np.array([1.0, 2.0, 3.0, 100.0]), np.ones(4, bool), "rank").round(2)
    array([-1.34, -0.45,  0.45,  1.34])
    """
    inside = mask & np.isfinite(values)
    if shape != "z" and inside.any():
        values = values.copy()
        values[inside] = average_rank(values[inside]) if shape == "rank" else _clipped(values[inside])
    z: Float64 = zscore_rows(values[None, :], inside[None, :])[0]
    return z


def kurtosis(z: Float64) -> float:
    """Fourth moment of z-scores (n,): 3 of a normal distribution, 1.8 of a uniform one; 0 where they don't vary."""
    known = z[np.isfinite(z)]
    return float((known**4).mean()) if len(known) else 0.0


def _clipped(values: Float64) -> Float64:
    """Clipped in a plain size: the deviations of values near the largest double don't fit into one."""
    largest = float(np.abs(values).max())
    scale = 2.0 ** -np.ceil(np.log2(largest)) if largest > 0 else 1.0
    return clip_mad(values * scale, REACH)
