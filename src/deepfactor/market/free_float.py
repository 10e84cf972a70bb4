"""How much of a company an index counts: free float in tiers."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float64

#: A ratio this little above an edge is on it: ratios are divisions of rounded numbers.
_SLACK = 1e-9


def inclusion_factor(free_float: Float64) -> Float64:
    """Share of the A-share capital that CSI's indices count, by the free float as a fraction of it; NaN stays.

    Up to 15 % the next whole percent; above 15 to 20 % 20 %, above 20 to 30 % 30 %, and so on; above 80 % all of it.
    Source: China Securities Index, *Calculation and Maintenance of Equity Indices* (free float in tiers, 分级靠档).
    """
    by_percent = np.ceil(free_float * 100 - _SLACK) / 100
    by_ten = np.ceil(free_float * 10 - _SLACK) / 10
    tier = np.where(free_float <= 0.15 + _SLACK, by_percent, np.where(free_float <= 0.8 + _SLACK, by_ten, 1.0))
    return np.where(np.isnan(free_float), np.nan, np.maximum(tier, 0.0))
