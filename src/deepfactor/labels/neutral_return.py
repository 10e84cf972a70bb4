"""Forward return, freed of industry and size among each day's eligible stocks (Study B's label; horizon 5 for Study A).

Per day: the return winsorised at median ± 5·1.4826·MAD, then the residual of least squares on ln cap and all industry
dummies (no intercept). An industry of fewer than `min_industry` names joins "other". Cap and industry as of day t.

Study A doesn't say whether it neutralises. ``neutralise = ["industry"]`` leaves size in, ``[]`` leaves both: the
winsorised return less the day's mean.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from deepfactor.core.arrays import Bools, Float64
from deepfactor.core.spec import ONCE
from deepfactor.labels._neutral import neutralised
from deepfactor.labels.base import LabelSettings
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import entry
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
    """Its settings."""

    neutralise: Annotated[tuple[Literal["industry", "size"], ...], ONCE, AfterValidator(_sorted)] = Field(
        default=("industry", "size"), description="what is taken out, in whatever order"
    )
    clip_mad: float = Field(default=5.0, gt=0, description="robust deviations at which returns are cut before")
    min_industry: int = Field(default=10, ge=1, description="an industry of fewer stocks on a day joins `other`")


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
    return neutralised(
        panel,
        universe,
        eligible,
        settings.horizon,
        convention=settings.convention,
        cap=settings.cap,
        neutralise=settings.neutralise,
        clip=settings.clip_mad,
        min_industry=settings.min_industry,
    )
