"""Robust standardising over a day's batch, by rows: clipped at median ± 5·1.4826·MAD, then z-scored."""

from __future__ import annotations

import numpy as np
import torch

from deepfactor.core.arrays import Float32
from deepfactor.cross_section.clipping import MAD_TO_SIGMA, mad_bounds_of_sorted

CLIP_MAD = 5.0
LEAST_SCALE = 1e-6


def cross_section(values: Float32) -> tuple[Float32, Float32, Float32, Float32]:
    """Clip bounds, mean and inverse scale, each (…), of each row of `values` (…, b) over its observed stocks.

    Clip at median ± 5·1.4826·MAD, none where the MAD is 0; mean and population standard deviation of the clipped.
    """
    x = np.sort(values, axis=-1)  # missing last
    count = x.shape[-1] - np.isnan(x).sum(axis=-1)
    low, high = mad_bounds_of_sorted(x, count, CLIP_MAD * MAD_TO_SIGMA)
    np.maximum(x, low[..., None], out=x)
    np.minimum(x, high[..., None], out=x)
    n = np.maximum(count, 1)
    mean = torch.from_numpy(x).nansum(dim=-1, dtype=torch.float64).numpy() / n
    x -= mean[..., None].astype(np.float32)
    torch.from_numpy(x).nan_to_num_(0.0)
    scale = np.sqrt(np.multiply(x, x, out=x).sum(axis=-1, dtype=np.float64) / n)
    inverse = np.divide(1.0, scale, where=scale >= LEAST_SCALE, out=np.zeros_like(scale))
    return low, high, mean.astype(np.float32), inverse.astype(np.float32)


def zscored(x: Float32) -> Float32:
    """Each row of `x` (…, b) clipped and z-scored over what is finite; the rest is 0."""
    x = np.where(np.isfinite(x), x, np.float32(np.nan))
    low, high, mean, inverse = (one[..., None] for one in cross_section(x))
    out: Float32 = np.nan_to_num((np.clip(x, low, high) - mean) * inverse).astype(np.float32)
    return out
