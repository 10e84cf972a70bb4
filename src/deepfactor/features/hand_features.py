"""Twenty-one features made by hand from prices and volume: what a baseline without a network reads.

Common descriptors of reversal, momentum, risk, trading activity and the shape of a day, each over a stock's own past,
raw (a scaling compares stocks). The choice is ours and was made before any was looked at on test years.

==========================  ===========================================================================
ret_1 … ret_120             log return over 1, 5, 10, 20, 60, 120 days of the adjusted close
vol_20, vol_60              standard deviation of daily log returns
max_ret_20                  largest daily log return (Bali, Cakici, Whitelaw 2011)
turnover_5, _20, _60        log of the mean turnover
turnover_ratio              log of mean turnover, 5 over 60 days
amihud_20                   log of the mean of |return| ÷ amount (Amihud 2002)
range_20                    mean of log(high ÷ low)
overnight_20                mean of log(open ÷ previous close)
close_position_20           mean of (close − low) ÷ (high − low); days without a range don't count
vwap_gap_5                  mean of log(vwap ÷ close)
price_volume_corr_20        correlation of daily log return and turnover
high_60, low_60             log of the close over the highest, the lowest close
==========================  ===========================================================================

A mean takes the days with a trade; it needs half of its window's days, a return needs both its closes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property

import numpy as np
from pydantic import Field

from deepfactor.core.arrays import Float64
from deepfactor.features._rolling import before, mean, past_change, window
from deepfactor.features.base import Features, FeatureSettings, Role
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import adjusted
from deepfactor.panel.universe import Universe

RETURNS = (1, 5, 10, 20, 60, 120)
NAMES = (
    *(f"ret_{days}" for days in RETURNS),
    *("vol_20", "vol_60", "max_ret_20", "turnover_5", "turnover_20", "turnover_60", "turnover_ratio", "amihud_20"),
    *("range_20", "overnight_20", "close_position_20", "vwap_gap_5", "price_volume_corr_20", "high_60", "low_60"),
)


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "hand_features": "手工特征",
}


class Settings(FeatureSettings):
    """No choice but the window of the samples, which for these is the day itself."""

    window: int = Field(default=1, ge=1, le=2500, description="trading days of a sample's window")


def rows_back(settings: Settings) -> int:
    """Of the longest return."""
    return max(RETURNS)


def compute(settings: Settings, panel: Panel, universe: Universe) -> Features:
    """The features of every stock and day, (T, N, 21) float32; NaN = too little seen, or no trade on the day.

    Raises
    ------
    DataError
        the market lacks a price field or the turnover.
    """
    values = np.full((*panel.shape, len(NAMES)), np.nan, np.float32)
    for name, made in chosen(panel, universe, NAMES):
        values[..., NAMES.index(name)] = made
    plain: Role = "plain"
    return Features(NAMES, tuple(plain for _ in NAMES), values)


def chosen(panel: Panel, universe: Universe, names: Collection[str]) -> Iterator[tuple[str, Float64]]:
    """Some of the features, each with its name, (T, N) as in `compute`; what isn't asked for costs nothing.

    One after the other: all at once would be twenty-one times the panel in float64.
    """
    read = _Read(panel, universe)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, make in _MADE.items():
            if name in names:
                made = make(read)
                yield name, np.where(universe.traded & np.isfinite(made), made, np.nan)


class _Read:
    """What more than one feature reads, (T, N) float64, made once."""

    def __init__(self, panel: Panel, universe: Universe) -> None:
        self.panel, self.traded = panel, universe.traded

    @cached_property
    def close(self) -> Float64:
        """Log of the adjusted close."""
        return np.log(adjusted(self.panel, "close"))

    @cached_property
    def day(self) -> Float64:
        """Log return of a day."""
        return past_change(self.close, 1)

    @cached_property
    def turnover(self) -> Float64:
        """NaN without a trade."""
        return np.where(self.traded, self.panel["turnover"].astype(np.float64), np.nan)

    def plain(self, name: str) -> Float64:
        """A price as it was quoted."""
        return self.panel[name].astype(np.float64)


def _change(days: int) -> Callable[[_Read], Float64]:
    return lambda read: past_change(read.close, days)


def _volatility(days: int) -> Callable[[_Read], Float64]:
    return lambda read: np.sqrt(_variance(read.day, days))


def _mean_turnover(days: int) -> Callable[[_Read], Float64]:
    return lambda read: np.log(mean(read.turnover, days))


def _overnight(read: _Read) -> Float64:
    return mean(np.log(adjusted(read.panel, "open")) - before(read.close, 1), 20)


def _illiquidity(read: _Read) -> Float64:
    return np.log(mean(np.abs(read.day) / (read.plain("vwap") * read.panel["volume"]), 20))


def _close_position(read: _Read) -> Float64:
    high, low, close = (read.plain(name) for name in ("high", "low", "close"))
    return mean(np.where(high > low, (close - low) / (high - low), np.nan), 20)


def _variance(x: Float64, days: int) -> Float64:
    """Population variance; of what a stock's daily returns are, so no mean far from 0 spoils the difference."""
    return np.maximum(mean(x * x, days) - mean(x, days) ** 2, 0.0)


def _correlation(x: Float64, y: Float64, days: int) -> Float64:
    both = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(both, x, np.nan), np.where(both, y, np.nan)
    mean_x, mean_y = mean(x, days), mean(y, days)
    spread = np.maximum(mean(x * x, days) - mean_x**2, 0.0) * np.maximum(mean(y * y, days) - mean_y**2, 0.0)
    return np.where(spread > 0, (mean(x * y, days) - mean_x * mean_y) / np.sqrt(spread), np.nan)


def _largest(x: Float64, days: int) -> Float64:
    """Largest finite value of the last `days` rows; NaN where fewer than half are finite."""
    known = np.isfinite(x)
    count = window(known.astype(np.float64), days, np.add, 0.0)
    top = window(np.where(known, x, -np.inf), days, np.maximum, -np.inf)
    return np.where(count >= days / 2, top, np.nan)


_MADE: dict[str, Callable[[_Read], Float64]] = {
    **{f"ret_{days}": _change(days) for days in RETURNS},
    **{f"vol_{days}": _volatility(days) for days in (20, 60)},
    "max_ret_20": lambda read: _largest(read.day, 20),
    "high_60": lambda read: read.close - _largest(read.close, 60),
    "low_60": lambda read: read.close + _largest(-read.close, 60),
    "overnight_20": _overnight,
    **{f"turnover_{days}": _mean_turnover(days) for days in (5, 20, 60)},
    "turnover_ratio": lambda read: np.log(mean(read.turnover, 5) / mean(read.turnover, 60)),
    "price_volume_corr_20": lambda read: _correlation(read.day, read.turnover, 20),
    "amihud_20": _illiquidity,
    "range_20": lambda read: mean(np.log(read.plain("high") / read.plain("low")), 20),
    "close_position_20": _close_position,
    "vwap_gap_5": lambda read: mean(np.log(read.panel["vwap"] / read.plain("close")), 5),
}
