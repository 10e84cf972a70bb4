"""Descriptors from prices and turnover, (T, N) float32: raw, before any cross-section is looked at. NaN = too little.

A descriptor over a window needs a quarter of its days (63 of 252, as BETA's definition has it). Two clocks of return:
a **daily return** needs a trade on the day and the day before, so that several days' news is never taken for one day's
risk; the **held price** is the last close, so that a return over a period loses nothing to a suspension.
There is no risk-free rate in a market folder: it is the same for all stocks of a day and cancels where histories do.

Each describes the rows from `first` on, (T − first, N), to the bit as if all had been asked for: an evening needs the
last few. What is read may begin where `rows_behind` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import AnyArray, Float32, Float64, Floats
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.universe import Universe

YEAR, MONTH = 252, 21
#: Running sums start anew every window, so that no rounding of earlier years is carried; all windows divide this.
ANCHOR = 504
#: Days looked at at once for a stock's last trade: nearly all traded in the last few.
_BLOCK = 64


@dataclass(frozen=True)
class ListedCap:
    """Market value (T, N) float64 of listed stocks, CNY, of the days that are read; NaN elsewhere."""

    universe: Universe
    values: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        days, stocks = self.values.shape
        return days, stocks

    def __getitem__(self, rows: slice) -> Float64:
        return np.where(self.universe.listed[rows], self.values[rows].astype(np.float64), np.nan)


def listed_cap(panel: Panel, universe: Universe, kind: str) -> ListedCap:
    """Market value of listed stocks; `kind` as of `Panel.market_cap`."""
    return ListedCap(universe, panel.market_cap(kind))


def rows_behind(first: int, window: int, lag: int = 0) -> int:
    """The row from which on descriptors of the rows since `first` read whose windows divide `window`, the longest.

    A running sum begins at a row that `window` divides, and looks back as far. `lag`: rows by which it comes late.
    """
    return max(first - lag - window, 0) // window * window


def daily_return(panel: Panel) -> Float64:
    """Simple return close t−1 → close t, (T, N); NaN unless traded on both days."""
    return trailing_return(panel, 1)


def held_log_price(panel: Panel, first: int) -> Float64:
    """Log of the adjusted last close on the days from `first` on, (T − first, N); NaN before the first trade."""
    out = _log_price(panel, slice(first, None))
    missing = np.flatnonzero(np.isnan(out[0]))
    for end in range(first, 0, -_BLOCK):
        before = _log_price(panel, slice(max(end - _BLOCK, 0), end))[::-1, missing]
        known = ~np.isnan(before)
        found = np.flatnonzero(known.any(axis=0))
        out[0, missing[found]] = before[known[:, found].argmax(axis=0), found]
        missing = np.delete(missing, found)
        if not len(missing):
            break
    for t in range(1, len(out)):
        np.copyto(out[t], out[t - 1], where=np.isnan(out[t]))
    return out


def _log_price(panel: Panel, rows: slice) -> Float64:
    price = panel["close"][rows].astype(np.float64) * panel["adj_factor"][rows]  # as `adjusted`
    return np.asarray(np.log(price, out=price))


def market_return(returns: Float64, cap: Float64) -> Float64:
    """Return of the cap-weighted market, (T,): weights of the day before; NaN on a day without any."""
    out = np.full(len(returns), np.nan)
    for t in range(1, len(returns)):
        weight = np.where(np.isfinite(returns[t]) & np.isfinite(cap[t - 1]), cap[t - 1], 0.0)
        if weight.sum() > 0:
            out[t] = (weight * np.nan_to_num(returns[t])).sum() / weight.sum()
    return out


def beta_and_residual(returns: Float64, market: Float64, first: int = 0) -> tuple[Float32, Float32]:
    """BETA and HSIGMA: slope and residual standard deviation of r on the market's over 252 days, half-life 63."""

    def terms(t: int) -> Float64:
        x, y = market[t], returns[t]
        known = np.isfinite(y) & np.isfinite(x)
        y, x = np.where(known, y, 0.0), np.where(known, x, 0.0)
        return np.stack([known.astype(np.float64), x, y, x * x, x * y, y * y])

    beta, residual = _empty(returns, first), _empty(returns, first)
    for t, (w, x, y, xx, xy, yy), count in _decayed_sums(terms, returns.shape, YEAR, 63, first):
        enough = count >= YEAR // 4
        w = np.where(enough, w, 1.0)
        sxx, sxy, syy = xx - x * x / w, xy - x * y / w, yy - y * y / w
        enough &= sxx > 1e-12 * xx
        slope = sxy / np.where(enough, sxx, 1.0)
        beta[t - first, enough] = slope[enough]
        residual[t - first, enough] = np.sqrt(np.maximum(syy - slope * sxy, 0.0) / w)[enough]
    return beta, residual


def deviation(returns: Float64, window: int, half_life: float = np.inf, first: int = 0) -> Float32:
    """Standard deviation of daily returns over `window` days, weights halved each `half_life` days (DASTD: 252, 42)."""

    def terms(t: int) -> Float64:
        known = np.isfinite(returns[t])
        y = np.where(known, returns[t], 0.0)
        return np.stack([known.astype(np.float64), y, y * y])

    out = _empty(returns, first)
    for t, (w, y, yy), count in _decayed_sums(terms, returns.shape, window, half_life, first):
        enough = count >= -(-window // 4)
        w = np.where(enough, w, 1.0)
        out[t - first, enough] = np.sqrt(np.maximum(yy / w - (y / w) ** 2, 0.0))[enough]
    return out


def momentum(log_price: Float64, first: int = 0) -> Float32:
    """Mean of daily log returns over 504 days that end 21 days ago, weights halved each 126 days.

    The mean over the days since the first close is the definition's sum but for a factor that all full histories share.
    """

    def terms(t: int) -> Float64:
        change = log_price[t] - log_price[t - 1] if t else np.full(log_price.shape[1], np.nan)
        known = np.isfinite(change)
        return np.stack([known.astype(np.float64), np.where(known, change, 0.0)])

    out = _empty(log_price, first)
    ended = (len(log_price) - MONTH, log_price.shape[1])
    for t, (w, x), count in _decayed_sums(terms, ended, ANCHOR, 126, max(first - MONTH, 0)):
        if t + MONTH >= first:
            enough = count >= ANCHOR // 4
            out[t + MONTH - first, enough] = x[enough] / w[enough]
    return out


def cumulative_range(log_price: Float64, first: int = 0, months: int = 12) -> Float32:
    """CMRA: largest minus smallest log return over the last 1 … 12 months of 21 days, of the months there are (≥ 3)."""
    out = _empty(log_price, first)
    for t in range(max(MONTH * (months // 4), first), len(log_price)):
        back = [log_price[t] - log_price[t - MONTH * k] for k in range(1, months + 1) if t >= MONTH * k]
        low = np.fmin.reduce(back)
        out[t - first] = np.where(np.isfinite(back[months // 4 - 1]), np.fmax.reduce(back) - low, np.nan)
    return out


def past_return(log_price: Float64, days: int, first: int = 0) -> Float32:
    """Return of the held price over `days` days."""
    out = _empty(log_price, first)
    start = max(days, first)
    out[start - first :] = np.expm1(log_price[start:] - log_price[start - days : len(log_price) - days])
    return out


def log_turnover(panel: Panel, universe: Universe, window: int, first: int = 0) -> Float32:
    """Log of the mean daily turnover over the listed days of the window, no trade = 0; NaN where nothing was traded.

    STOM, STOQ and STOA (21, 63, 252 days) are this plus ln 21, which the z-score takes out.
    """
    turnover = panel["turnover"]

    def terms(t: int) -> Float64:
        known = universe.listed[t] & (~universe.traded[t] | np.isfinite(turnover[t]))
        value = np.where(known & universe.traded[t], np.nan_to_num(turnover[t]), 0.0)
        return np.stack([known.astype(np.float64), value, value > 0])

    out = _empty(turnover, first)
    for t, (days, total, traded), _ in _decayed_sums(terms, turnover.shape, window, first=first):
        some = (days >= -(-window // 4)) & (traded > 0) & (total > 0)
        out[t - first, some] = np.log(total[some] / days[some])
    return out


def _decayed_sums(
    terms: Callable[[int], Float64], shape: tuple[int, ...], window: int, half_life: float = np.inf, first: int = 0
) -> Iterator[tuple[int, Float64, Float64]]:
    """Rows t ≥ `first`, sums of `terms` over the last `window` days, weight 0.5^(age / half-life), and number of days.

    By recursion: what enters is added, the rest decays, what falls out of the window is taken out; anew at each row
    that `window` divides. The first of the terms is 1 where the day is known, 0 elsewhere.
    """
    decay = 0.5 ** (1 / half_life)
    gone = decay**window
    for begin in range(first // window * window, shape[0], window):
        oldest = max(begin - window + 1, 0)
        total, count = np.zeros_like(terms(oldest)), np.zeros(shape[1])
        for t in range(oldest, min(begin + window, shape[0])):
            new = terms(t)
            total = total * decay + new
            count += new[0]
            if t - window >= oldest:
                old = terms(t - window)
                total -= gone * old
                count -= old[0]
            if t >= max(begin, first):
                yield t, total, count


def _empty(like: Floats | AnyArray, first: int) -> Float32:
    return np.full((max(len(like) - first, 0), like.shape[1]), np.nan, dtype=np.float32)
