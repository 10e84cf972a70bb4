"""Raw features split into a moving average and what it leaves, before anything is scaled.

A network that splits its scaled window (`decomp_gru`) averages z-scores: each lag has its own scale, so its residual is
no deviation of a price from its moving average. Here the average is of the raw series, prices in logs, and both parts
are scaled by themselves: the average as the field that it is of, the residual as a field without a level.

A row's average reads the `days` − 1 rows before it wherever the row stands in a window; so it is the same number in
every window that holds it, and a network that reads days once can have it.
"""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float32
from deepfactor.features.base import Features, Role

OF_RESIDUAL = "_residual"
WITHOUT_LEVEL: Role = "plain"


def split_features(features: Features, values: Float32) -> Features:
    """The fields of `split_rows`, with its `values` (T, N, 2f): averages under the fields' own names, residuals."""
    residuals = tuple(name + OF_RESIDUAL for name in features.names)
    return Features(features.names + residuals, features.roles + (WITHOUT_LEVEL,) * len(residuals), values)


def split_rows(values: Float32, rows: range, days: int) -> Float32:
    """Averages and residuals of some rows of `values` (T, N, f): (len(rows), N, 2f) float32.

    The average is over the observed ones of the last `days` rows; both are NaN where the row itself is.
    """
    first = rows.start - days + 1
    x = np.asarray(values[max(first, 0) : rows.stop], np.float64)
    x = np.concatenate([np.full((max(-first, 0), *x.shape[1:]), np.nan), x])
    last = np.lib.stride_tricks.sliding_window_view(x, days, axis=0)  # (rows, N, f, days)
    seen = np.isfinite(last)
    total, own = np.sum(last, axis=3, where=seen), x[days - 1 :]
    mean = np.divide(total, seen.sum(axis=3), where=np.isfinite(own), out=np.full(own.shape, np.nan))
    split: Float32 = np.concatenate([mean, own - mean], axis=2).astype(np.float32)
    return split
