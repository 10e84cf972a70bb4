"""The smallest style set: SIZE = ln market cap (Barra CNE5's definition)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Float64
from deepfactor.core.spec import Spec
from deepfactor.cross_section.clipping import clip_mad_rows
from deepfactor.cross_section.zscores import zscore_rows_by_cap
from deepfactor.panel.panel import LACKS, Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles._descriptors import listed_cap
from deepfactor.styles.base import CombinedStyles, Styles

#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS: dict[str, str | tuple[str, str]] = {
    "SIZE": "市值",
    "definition.basic.SIZE": ("log of the market value", "市值的对数"),
}


class Settings(Spec):
    """Its settings."""

    cap: Literal["total", "float"] = Field(default="float", description="market value that is size")
    clip: float = Field(default=5.0, gt=0, description="robust deviations (1.4826·MAD) at which the descriptor is cut")


def compute(settings: Settings, panel: Panel, universe: Universe) -> Styles:
    """SIZE over all listed stocks with a market value, (T, N); a market without caps has it in `absent`."""
    field = f"{settings.cap}_mv"
    if field not in panel.fields:
        return Styles({}, {"SIZE": LACKS.format(what=field)})
    cap = listed_cap(panel, universe, settings.cap)

    def combine(day: Mapping[str, Float64], cap: Float64) -> Mapping[str, Float64]:
        return {"SIZE": zscore_rows_by_cap(clip_mad_rows(day["SIZE"], settings.clip), cap)}

    return Styles(CombinedStyles(["SIZE"], lambda first: {"SIZE": np.log(cap[first:])}, cap, combine), {})
