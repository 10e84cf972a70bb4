"""Daily prices and volume, the input of the 150-day price-volume models (Study B).

Prices are adjusted by the cumulative backward factor, volume by its inverse; a day without a trade is missing.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from deepfactor.core.spec import ONCE
from deepfactor.features.base import Features, FeatureSettings, Role
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

FieldName = Literal["open", "high", "low", "close", "vwap", "volume"]


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "price_volume": "量价",
}


class Settings(FeatureSettings):
    """Its settings."""

    fields: Annotated[tuple[FieldName, ...], ONCE] = Field(
        default=("open", "high", "low", "close", "vwap", "volume"),
        min_length=1,
        description="in the order of the model's input",
    )


def rows_back(settings: Settings) -> int:
    """A day's fields are its own."""
    return 0


def compute(settings: Settings, panel: Panel, universe: Universe) -> Features:
    """Log adjusted prices and log split-adjusted volume, (T, N, f) float32; zero volume is missing."""
    factor = np.log(panel["adj_factor"].astype(np.float64))
    values = np.empty((*panel.shape, len(settings.fields)), np.float32)
    roles: list[Role] = []
    for k, name in enumerate(settings.fields):
        raw = panel[name].astype(np.float64)
        log = np.log(np.where(raw > 0, raw, np.nan))
        volume = name == "volume"
        values[..., k] = np.where(universe.traded, log - factor if volume else log + factor, np.nan)
        roles.append("volume" if volume else "price")
    return Features(settings.fields, tuple(roles), values)
