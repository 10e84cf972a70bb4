"""Forward returns of one horizon, freed of industry and size among each day's eligible stocks."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from deepfactor.core.arrays import Bools, Float64
from deepfactor.cross_section.clipping import clip_mad
from deepfactor.cross_section.regression import merge_small, residual_on_groups
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import Convention, forward_return
from deepfactor.panel.universe import Universe


def neutralised(
    panel: Panel,
    universe: Universe,
    eligible: Bools,
    horizon: int,
    *,
    convention: Convention,
    cap: str,
    neutralise: Collection[str],
    clip: float,
    min_industry: int,
) -> Float64:
    """Residual forward return (T, N) float64 of the stocks in `eligible` (T, N); NaN outside, without return, or
    without cap. `clip`: robust deviations at which returns are cut before."""
    value = forward_return(panel, convention, horizon)
    size = np.log(panel.market_cap(cap).astype(np.float64)) if "size" in neutralise else None
    out = np.full(panel.shape, np.nan)
    for t in range(len(value)):
        usable = eligible[t] & np.isfinite(value[t])
        if size is not None:
            usable &= np.isfinite(size[t])
        stocks = np.flatnonzero(usable)
        if len(stocks) > 2:
            y = clip_mad(value[t, stocks], clip)
            industry = universe.industry[t, stocks] if "industry" in neutralise else np.zeros(len(stocks), int)
            x = size[t, stocks] if size is not None else None
            out[t, stocks] = residual_on_groups(y, merge_small(industry, min_industry), x)
    return out
