"""Families of the set `alpha` that trading gives: turnover, price and turnover together, limits, size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.features._alpha_block import Block
from deepfactor.features._alpha_prices import WINDOWS
from deepfactor.features._exact_sums import Running, central
from deepfactor.features._rolling import past_change

Made = Iterator[tuple[str, Float64]]
#: Amihud's ratio is of returns and hundreds of millions of CNY.
_AMOUNT = 1e8


def turnovers(b: Block) -> Made:
    """How much is traded, beside what was usual, and how evenly."""
    squares, now = Running.of(b.turnover * b.turnover, b.turnovers), b.at(b.log_turnover)
    means = {days: b.turnovers.mean(days, b.rows) for days in (*WINDOWS, 120, 240)}
    logs = {days: np.log(np.where(mean > 0, mean, np.nan)) for days, mean in means.items()}
    for days in (*WINDOWS, 120):
        yield f"turnover_{days}", logs[days]
    yield "turnover_1", now
    yield "turnover_ratio", logs[5] - logs[60]
    yield "turnover_ratio_20_240", logs[20] - logs[240]
    for days in WINDOWS:
        yield f"turnover_gap_{days}", logs[days] - now
        mean, variance = central(b.turnovers, squares, days, b.rows)
        yield f"turnover_vol_{days}", np.sqrt(variance) / np.where(mean > 0, mean, np.nan)
    amount = b.price("vwap") * b.price("volume")
    amount = np.where(amount > 0, amount, np.nan) / _AMOUNT
    illiquid, amounts = Running.of(np.abs(b.ret) / amount), Running.of(amount)
    for days in WINDOWS:
        yield f"amihud_{days}", _log(illiquid.mean(days, b.rows))
    yield "amount_20", _log(amounts.mean(20, b.rows))
    traded = Running.of(np.where(b.traded, 1.0, 0.0))
    for days in (60, 240):
        yield f"traded_share_{days}", traded.sum(days, b.rows) / days


def together(b: Block) -> Made:
    """Price and turnover together: correlations, days and volume of gains."""
    change = past_change(b.log_turnover, 1)
    pairs = {
        "level_corr": (b.close, b.log_turnover, WINDOWS),
        "change_corr": (b.ret, change, WINDOWS),
        "price_volume_corr": (b.ret, b.turnover, (20, 60)),
    }
    for name, (x, y, windows) in pairs.items():
        correlation = _Correlation(x, y)
        for days in windows:
            yield f"{name}_{days}", correlation.of(days, b.rows)
    rises = Running.of(np.where(np.isfinite(b.ret), b.ret > 0, np.nan))
    size = np.abs(b.ret)
    gains, moves = Running.of(np.maximum(b.ret, 0.0), b.returns), Running.of(size, b.returns)
    all_changes = Running.of(np.abs(change))
    more = Running.of(np.maximum(change, 0.0), all_changes)
    effort = size * b.turnover
    efforts = Running.of(effort)
    squares = Running.of(effort * effort, efforts)
    signed = Running.of(np.sign(b.ret) * b.turnover)
    for days in WINDOWS:
        yield f"up_days_{days}", rises.mean(days, b.rows)
        yield f"gain_share_{days}", _share(gains.mean(days, b.rows), moves.mean(days, b.rows))
        yield f"volume_gain_{days}", _share(more.mean(days, b.rows), all_changes.mean(days, b.rows))
        yield f"signed_volume_{days}", _share(signed.mean(days, b.rows), b.turnovers.mean(days, b.rows))
        mean, variance = central(efforts, squares, days, b.rows)
        yield f"effort_vol_{days}", _share(np.sqrt(variance), mean)


def limits_and_size(b: Block) -> Made:
    """Closes at price limits, the price's level, market values."""
    fen = np.rint(100.0 * b.price("close"))
    up, down = b.limit_up, b.limit_down
    hits = {"limit_up": (up > 0) & (fen >= up), "limit_down": (down > 0) & (fen <= down)}
    for name, hit in hits.items():
        count = Running.of(np.where(b.traded, hit, np.nan))
        for days in (20, 60):
            yield f"{name}_{days}", count.mean(days, b.rows)
    yield "price_level", b.at(np.log(b.price("close")))
    fields = b.fields
    if "float_mv" in fields:
        yield "float_size", _log(b.at(b.price("float_mv")))
    if "total_mv" in fields:
        yield "total_size", _log(b.at(b.price("total_mv")))
    if "float_mv" in fields and "total_mv" in fields:
        yield "float_share", b.at(b.price("float_mv")) / b.at(b.price("total_mv"))


class _Correlation:
    """Of two series over the days on which both are there."""

    def __init__(self, x: Float64, y: Float64) -> None:
        both = np.isfinite(x) & np.isfinite(y)
        x, y = np.where(both, x, np.nan), np.where(both, y, np.nan)
        self.x = Running.of(x)
        self.y, self.xy = Running.of(y, self.x), Running.of(x * y, self.x)
        self.xx, self.yy = Running.of(x * x, self.x), Running.of(y * y, self.x)

    def of(self, days: int, rows: slice) -> Float64:
        """NaN where either doesn't change."""
        mean_x, of_x = central(self.x, self.xx, days, rows)
        mean_y, of_y = central(self.y, self.yy, days, rows)
        spread = of_x * of_y
        together = self.xy.mean(days, rows) - mean_x * mean_y
        return np.where(spread > 0, together / np.sqrt(np.where(spread > 0, spread, 1.0)), np.nan)


def _log(x: Float64) -> Float64:
    return np.log(np.where(x > 0, x, np.nan))


def _share(part: Float64, whole: Float64) -> Float64:
    return part / np.where(whole > 0, whole, np.nan)
