"""Families of the set `alpha` that prices give: returns, levels, lines through prices, the shape of days."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.features._alpha_block import Block
from deepfactor.features._exact_sums import Running, RunningLine, central
from deepfactor.features._extremes import largest
from deepfactor.features._rolling import before

WINDOWS = (5, 20, 60)
Made = Iterator[tuple[str, Float64]]


def returns(b: Block) -> Made:
    """Returns over days, and where the close stands among those of the days before."""
    now = b.at(b.close)
    for days in (1, 5, 10, 20, 60, 120, 240):
        yield f"ret_{days}", now - b.past(b.close, days)
    yield "momentum_240_20", b.past(b.close, 20) - b.past(b.close, 240)
    for days in WINDOWS:
        yield f"average_gap_{days}", b.closes.mean(days, b.rows) - now
    below, seen = np.zeros(now.shape), np.zeros(now.shape)
    for back in range(1, WINDOWS[-1] + 1):
        then = b.past(b.close, back)
        below += then < now
        seen += np.isfinite(then)
        if back in WINDOWS:
            yield f"close_rank_{back}", np.where(seen >= back / 2, below / np.maximum(seen, 1.0), np.nan)


def extremes(b: Block) -> Made:
    """How far from the highest and the lowest price, and how long ago these were."""
    now = b.at(b.close)
    windows = (*WINDOWS, 240)
    for word, sign, field in (("high", 1.0, "high"), ("low", -1.0, "low")):
        price = b.adjusted(field)
        tops = largest(sign * price, windows, b.rows)
        if word == "high":
            highs = tops
        enough = {days: np.isfinite(b.closes.number(days, b.rows)) for days in windows}
        for days in windows:
            yield f"{word}_gap_{days}", np.where(enough[days], sign * tops[days].value - now, np.nan)
            yield f"since_{word}_{days}", np.where(enough[days], tops[days].ago, np.nan)
    for days in WINDOWS:
        top, bottom = highs[days].value, -tops[days].value
        span = np.where(enough[days] & (top > bottom), top - bottom, np.nan)
        yield f"range_place_{days}", (now - bottom) / span
        gap = highs[days].ago - tops[days].ago
        yield f"high_after_low_{days}", np.where(enough[days], -gap, np.nan)
    known = {days: np.isfinite(b.returns.number(days, b.rows)) for days in (20, 60)}
    best, worst = largest(b.ret, (20, 60), b.rows), largest(-b.ret, (20, 60), b.rows)
    for days in (20, 60):
        yield f"max_ret_{days}", np.where(known[days], best[days].value, np.nan)
        yield f"min_ret_{days}", np.where(known[days], -worst[days].value, np.nan)
    closing, lowest = largest(b.close, (60,), b.rows)[60], largest(-b.close, (60,), b.rows)[60]
    yield "high_60", np.where(enough[60], now - closing.value, np.nan)
    yield "low_60", np.where(enough[60], now + lowest.value, np.nan)


def lines(b: Block) -> Made:
    """A line through the log closes of a window: its slope, fit, and what it leaves of today's close."""
    line, now = RunningLine.of(b.close), b.at(b.close)
    for days in WINDOWS:
        slope, fit, height = line.fit(days, b.rows)
        yield f"slope_{days}", slope
        yield f"line_fit_{days}", fit
        yield f"line_residual_{days}", now - height


def shapes(b: Block) -> Made:
    """The shape of today, and the mean shape of days."""
    opening, high, low = (np.log(b.price(name)) for name in ("open", "high", "low"))
    close, vwap = np.log(b.price("close")), np.log(b.price("vwap"))
    top, bottom, span = np.maximum(opening, close), np.minimum(opening, close), high - low
    wide = np.where(span > 0, span, np.nan)
    of_day = {
        "body": close - opening,
        "range": span,
        "upper_shadow": high - top,
        "lower_shadow": bottom - low,
        "close_place": 2 * close - high - low,
        "vwap_gap": vwap - close,
        "overnight": b.adjusted("open") - before(b.close, 1),
        "body_share": (close - opening) / wide,
        "upper_share": (high - top) / wide,
        "lower_share": (bottom - low) / wide,
    }
    for name, series in of_day.items():
        yield f"{name}_1", b.at(series)
    means = {
        "body": WINDOWS,
        "range": WINDOWS,
        "overnight": WINDOWS,
        "vwap_gap": (5, 20),
        "upper_share": (20,),
        "lower_share": (20,),
    }
    for name, windows in means.items():
        running = Running.of(of_day[name])
        for days in windows:
            yield f"{name}_{days}", running.mean(days, b.rows)
    raw_high, raw_low = b.price("high"), b.price("low")
    place = np.where(raw_high > raw_low, (b.price("close") - raw_low) / (raw_high - raw_low), np.nan)
    position = Running.of(place)
    for days in (5, 20):
        yield f"close_position_{days}", position.mean(days, b.rows)


def risks(b: Block) -> Made:
    """Spread and form of daily returns, and what the market's explains of them."""
    square = b.ret * b.ret
    cubes, fourths = Running.of(square * b.ret, b.returns), Running.of(square * square, b.returns)
    losses = Running.of(np.where(b.ret > 0, 0.0, square), b.returns)
    gains = Running.of(np.where(b.ret < 0, 0.0, square), b.returns)
    for days in WINDOWS:
        mean, variance = central(b.returns, b.squares, days, b.rows)
        spread = np.where(variance > 0, variance, np.nan)
        yield f"vol_{days}", np.sqrt(variance)
        if days > 5:
            third, second = cubes.mean(days, b.rows), b.squares.mean(days, b.rows)
            yield f"skew_{days}", (third - 3 * mean * second + 2 * mean**3) / spread**1.5
        if days == 60:
            fourth = fourths.mean(days, b.rows)
            yield "kurtosis_60", (fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4) / spread**2
            yield "down_vol_60", np.sqrt(losses.mean(days, b.rows))
            yield "up_vol_60", np.sqrt(gains.mean(days, b.rows))
            yield "down_share_60", losses.mean(days, b.rows) / np.where(second > 0, second, np.nan)
    yield from _beside_the_market(b)


def _beside_the_market(b: Block) -> Made:
    m = np.where(np.isfinite(b.ret), b.market, np.nan)
    market = Running.of(m, b.returns)
    of_squares, products = Running.of(m * m, b.returns), Running.of(m * b.ret, b.returns)
    for days in (60, 240):
        mean, variance = central(b.returns, b.squares, days, b.rows)
        of_market, spread = central(market, of_squares, days, b.rows)
        covariance = products.mean(days, b.rows) - mean * of_market
        beta = covariance / np.where(spread > 0, spread, np.nan)
        yield f"beta_{days}", beta
        yield f"idio_vol_{days}", np.sqrt(np.maximum(variance - beta * covariance, 0.0))
        if days == 60:
            for short in (5, 20):
                own, theirs = b.returns.mean(short, b.rows), market.mean(short, b.rows)
                yield f"idio_ret_{short}", own - beta * theirs
