"""The mean over several horizons of the forward return freed of industry and size, each z-scored within the day.

Each horizon is a `neutral_return` of its own. A stock's label is the mean over the horizons; one that lacks any of them
has none, so that no day mixes horizons.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from deepfactor.core.arrays import Bools, Float64
from deepfactor.core.spec import ONCE
from deepfactor.cross_section.zscores import zscore_rows
from deepfactor.labels._neutral import neutralised
from deepfactor.labels.base import LabelSettings
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import MOST_DAYS, entry
from deepfactor.panel.universe import Universe

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "several_horizons": "多期限平均收益",
    "multiples": "期限倍数",
}


def _ascending(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(values))


class Settings(LabelSettings):
    """The horizons are `horizon` trading days times each of `multiples`: 5, 10 and 20 by default."""

    horizon: int = Field(
        default=5, ge=1, le=MOST_DAYS // 10, description="trading days from entry to exit of the shortest"
    )
    multiples: Annotated[
        tuple[Annotated[int, Field(ge=1, le=10)], ...], Field(min_length=2), ONCE, AfterValidator(_ascending)
    ] = Field(default=(1, 2, 4), description="horizons in units of `horizon`, in whatever order")
    neutralise: Annotated[tuple[Literal["industry", "size"], ...], ONCE] = Field(
        default=("industry", "size"), description="what is taken out, in whatever order"
    )
    clip_mad: float = Field(default=5.0, gt=0, description="robust deviations at which returns are cut before")
    min_industry: int = Field(default=10, ge=1, description="an industry of fewer stocks on a day joins `other`")


def reach(settings: Settings) -> int:
    """How many rows after t the label of t reads."""
    return entry(settings.convention)[0] + settings.horizon * max(settings.multiples)


def compute(settings: Settings, panel: Panel, universe: Universe, eligible: Bools) -> Float64:
    """Mean z-score (T, N) float64 of the stocks in `eligible`; NaN outside, and without one of the returns."""
    total = np.zeros(panel.shape)
    for multiple in settings.multiples:
        values = neutralised(
            panel,
            universe,
            eligible,
            settings.horizon * multiple,
            convention=settings.convention,
            cap=settings.cap,
            neutralise=settings.neutralise,
            clip=settings.clip_mad,
            min_industry=settings.min_industry,
        )
        total += zscore_rows(values, np.isfinite(values))
    return total / len(settings.multiples)
