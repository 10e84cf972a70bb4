"""Study A's daily price-volume set, as we chose it: the study's own 26 features are not published.

================================  ======================================================================================
open high low close vwap          log of the adjusted price
volume                            log of the split-adjusted volume; none traded is missing
amount                            log of the amount traded, vwap × volume; relative to the window's own mean, as volume
turnover                          log of the turnover rate
ret_1, ret_5, ret_20              log return of the adjusted close over so many days
range                             log(high ÷ low)
overnight                         log(open ÷ previous close), adjusted
close_position                    (close − low) ÷ (high − low); missing on a day without a range
volume_ratio                      log of mean split-adjusted volume, 5 over 20 days
amihud_20                         log of the mean over 20 days of |log return| ÷ amount (Amihud 2002)
================================  ======================================================================================

A day without a trade is missing in all of them. A mean takes the days with a trade and needs half of its window's days;
a return needs both its closes.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Float64
from deepfactor.core.spec import ONCE
from deepfactor.features._rolling import before, mean, past_change
from deepfactor.features.base import Features, FeatureSettings, Role
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import adjusted
from deepfactor.panel.universe import Universe

FieldName = Literal[
    "open", "high", "low", "close", "vwap", "volume", "amount", "turnover", "ret_1", "ret_5", "ret_20", "range",
    "overnight", "close_position", "volume_ratio", "amihud_20",
]  # fmt: skip
_PRICES = frozenset({"open", "high", "low", "close", "vwap"})


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "daily_set": "日频特征集",
}


class Settings(FeatureSettings):
    """Its settings."""

    window: int = Field(default=60, ge=1, le=2500, description="trading days of a sample's window")
    fields: Annotated[tuple[FieldName, ...], ONCE] = Field(
        default=get_args(FieldName), min_length=1, description="in the order of the model's input"
    )


def rows_back(settings: Settings) -> int:
    """Of the longest mean of returns."""
    return 21


def compute(settings: Settings, panel: Panel, universe: Universe) -> Features:
    """The series of every stock and day, (T, N, f) float32; NaN = missing.

    Raises
    ------
    DataError
        the market lacks a price field, or the turnover where it is asked for.
    """
    values = np.empty((*panel.shape, len(settings.fields)), np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        for k, name in enumerate(settings.fields):
            made = _series(name, panel)
            values[..., k] = np.where(universe.traded & np.isfinite(made), made, np.nan)
    return Features(settings.fields, tuple(_role(name) for name in settings.fields), values)


def _role(name: FieldName) -> Role:
    """Of what neither a price's level nor a volume's is in, the size itself says something."""
    if name in _PRICES:
        return "price"
    return "volume" if name in ("volume", "amount") else "plain"


def _series(name: FieldName, panel: Panel) -> Float64:
    """One series (T, N), infinite where a logarithm is of 0."""
    if name in _PRICES:
        return np.log(panel[name].astype(np.float64) * panel["adj_factor"])
    if name.startswith("ret_"):
        return past_change(np.log(adjusted(panel, "close")), int(name.removeprefix("ret_")))
    made: Float64 = _OTHERS[name](panel)
    return made


def _volume(panel: Panel) -> Float64:
    """Split-adjusted; NaN where nothing was traded."""
    raw = panel["volume"].astype(np.float64)
    return np.where(raw > 0, raw, np.nan) / panel["adj_factor"]


def _amount(panel: Panel) -> Float64:
    """In CNY."""
    amount: Float64 = panel["vwap"].astype(np.float64) * panel["volume"]
    return amount


def _close_position(panel: Panel) -> Float64:
    high, low, close = (panel[name].astype(np.float64) for name in ("high", "low", "close"))
    return np.where(high > low, (close - low) / (high - low), np.nan)


def _overnight(panel: Panel) -> Float64:
    return np.log(adjusted(panel, "open")) - before(np.log(adjusted(panel, "close")), 1)


def _amihud(panel: Panel) -> Float64:
    day = past_change(np.log(adjusted(panel, "close")), 1)
    return np.log(mean(np.abs(day) / _amount(panel), 20))


_OTHERS = {
    "volume": lambda panel: np.log(_volume(panel)),
    "amount": lambda panel: np.log(_amount(panel)),
    "turnover": lambda panel: np.log(panel["turnover"].astype(np.float64)),
    "range": lambda panel: np.log(panel["high"].astype(np.float64) / panel["low"]),
    "overnight": _overnight,
    "close_position": _close_position,
    "volume_ratio": lambda panel: np.log(mean(_volume(panel), 5) / mean(_volume(panel), 20)),
    "amihud_20": _amihud,
}
