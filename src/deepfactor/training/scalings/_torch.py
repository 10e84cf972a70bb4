"""Statistics of scalings by torch, on whatever device the values lie; the processor's own are numpy's."""

from __future__ import annotations

import torch
from torch import Tensor

from deepfactor.cross_section.clipping import MAD_TO_SIGMA
from deepfactor.inputs.standardising import CLIP_MAD, LEAST_SCALE


def cross_section(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`inputs.standardising.cross_section` of each row of `x` (…, b), NaN = missing."""
    count = (~x.isnan()).sum(dim=-1)
    median = _middle(x.double(), count)
    spread = CLIP_MAD * MAD_TO_SIGMA * _middle((x.double() - median[..., None]).abs(), count)
    low = torch.where(spread > 0, median - spread, -torch.inf).float()
    high = torch.where(spread > 0, median + spread, torch.inf).float()
    clipped, n = x.clamp(low[..., None], high[..., None]), count.clamp(min=1)
    mean = (clipped.nansum(dim=-1, dtype=torch.float64) / n).float()
    square = (clipped - mean[..., None]).square().nansum(dim=-1, dtype=torch.float64)
    return low, high, mean, inverse(square / n)


def inverse(variance: Tensor) -> Tensor:
    """1 / the standard deviation, 0 where that is too small to divide by."""
    scale = variance.sqrt()
    return torch.where(scale >= LEAST_SCALE, 1.0 / scale, 0.0).float()


def log_mean(logs: Tensor) -> Tensor:
    """Log of the mean of exp(logs) (L, b) over the observed days: (b,); NaN where none is observed."""
    return (logs.exp().nansum(dim=0, dtype=torch.float64) / (~logs.isnan()).sum(dim=0)).log().float()


def _middle(x: Tensor, count: Tensor) -> Tensor:
    """Median of the `count` known values of each row (…, b); NaN where there is none."""
    ordered, last = x.sort(dim=-1).values, x.shape[-1] - 1  # missing last
    ranks = torch.stack([(count - 1).clamp(min=0) // 2, (count // 2).clamp(max=last)], dim=-1)
    return ordered.gather(-1, ranks).mean(dim=-1)
