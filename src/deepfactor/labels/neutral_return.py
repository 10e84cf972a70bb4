"""Forward return, freed of industry and size among each day's eligible stocks (Study B's label; horizon 5 for Study A).

Per day: the return winsorised at median ± 5·1.4826·MAD, then the residual of least squares on ln cap and all industry
dummies (no intercept). An industry of fewer than `min_industry` names joins "other". Cap and industry as of day t.

Study A doesn't say whether it neutralises. ``neutralise = ["industry"]`` leaves size in, ``[]`` leaves both: the
winsorised return less the day's mean.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from deepfactor.core.arrays import Bools, Float64
from deepfactor.core.spec import ONCE
from deepfactor.cross_section.clipping import clip_mad
from deepfactor.cross_section.regression import merge_small, residual_on_groups
from deepfactor.labels.base import LabelSettings
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import entry, forward_return
from deepfactor.panel.universe import Universe

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "neutral_return": "中性化收益",
    "neutralise": "中性化",
    "clip_mad": "去极值（MAD倍数）",
    "min_industry": "行业最少股票数",
}


def _sorted(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(values))


class Settings(LabelSettings):
    """`neutralise`: what is taken out, in whatever order; `clip_mad`: robust deviations at which returns are cut
    before."""

    neutralise: Annotated[tuple[Literal["industry", "size"], ...], ONCE, AfterValidator(_sorted)] = ("industry", "size")
    clip_mad: float = Field(default=5.0, gt=0)
    min_industry: int = Field(default=10, ge=1)


def reach(settings: Settings) -> int:
    """How many rows after t the label of t reads."""
    return entry(settings.convention)[0] + settings.horizon


def compute(settings: Settings, panel: Panel, universe: Universe, eligible: Bools) -> Float64:
    """Residual forward return (T, N) float64 of the stocks in `eligible`; NaN outside, without return, or without cap.

    Parameters
    ----------
    eligible : (T, N) bool
        the stocks over which a day is neutralised.
    """
    value = forward_return(panel, settings.convention, settings.horizon)
    size = np.log(panel.market_cap(settings.cap).astype(np.float64)) if "size" in settings.neutralise else None
    out = np.full(panel.shape, np.nan)
    for t in range(len(value)):
        usable = eligible[t] & np.isfinite(value[t])
        if size is not None:
            usable &= np.isfinite(size[t])
        stocks = np.flatnonzero(usable)
        if len(stocks) > 2:
            y = clip_mad(value[t, stocks], settings.clip_mad)
            industry = universe.industry[t, stocks] if "industry" in settings.neutralise else np.zeros(len(stocks), int)
            x = size[t, stocks] if size is not None else None
            out[t, stocks] = residual_on_groups(y, merge_small(industry, settings.min_industry), x)
    return out
