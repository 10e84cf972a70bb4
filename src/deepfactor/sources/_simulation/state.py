"""What the market remembers from day to day, and what a finished day looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Ints
from deepfactor.sources._simulation.firms import Firms
from deepfactor.sources._simulation.randomness import stream

#: Spans in days of the turnover means that signals use.
TURNOVER_SPANS = (5, 10, 60)


@dataclass
class State:
    """The market after a day; the day loop overwrites it. Arrays (N,) unless said.

    Attributes
    ----------
    close : int64
        last price in fen.
    adj_factor : float64
        cumulative backward adjustment factor.
    anchor : float64
        slow mean of the adjusted price in fen.
    shares : float64
        total shares, whole numbers.
    log_volatility, turnover_mood : float64
        clustering states of a stock's noise and of its turnover.
    turnover_mean : (3, N) float64
        exponential means over `TURNOVER_SPANS` traded days; NaN before the first trade.
    days_below_one : int64
        traded days in a row with a close under 1 CNY.
    dead : bool
        delisted for its price.
    memories : (K, N) float64
        see `alpha`.
    """

    close: Ints
    adj_factor: Float64
    anchor: Float64
    shares: Float64
    log_volatility: Float64
    turnover_mood: Float64
    turnover_mean: Float64
    days_below_one: Ints
    dead: Bools
    memories: Float64


def first_state(seed: int, firms: Firms, memories: int) -> State:
    """The market before its first day."""
    rng, N = stream(seed, "state"), len(firms.symbols)
    close = np.maximum(np.rint(firms.price * 100), 150).astype(np.int64)
    return State(
        close=close,
        adj_factor=np.ones(N),
        anchor=close.astype(np.float64),
        shares=np.rint(np.exp(firms.log_cap) / (close / 100) / 100) * 100,
        log_volatility=0.3 * rng.standard_normal(N),
        turnover_mood=0.3 * rng.standard_normal(N),
        turnover_mean=np.full((len(TURNOVER_SPANS), N), np.nan),
        days_below_one=np.zeros(N, np.int64),
        dead=np.zeros(N, bool),
        memories=np.zeros((memories, N)),
    )


@dataclass(frozen=True)
class PublishedDay:
    """A finished day as the tables publish it. Arrays (N,).

    On a day without a trade all prices are the reference and volume is 0. Prices are int64 fen.

    Attributes
    ----------
    alive, traded : bool
        listed; listed and not suspended.
    reference : previous close after the day's split and dividend.
    open, high, low, close : fen
    limit_up, limit_down : fen, 0 = none
    vwap : float64, fen
    volume : int64, shares
    turnover : float64
        volume / float shares.
    adj_factor, shares, float_shares : float64
    """

    alive: Bools
    traded: Bools
    reference: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    limit_up: Ints
    limit_down: Ints
    vwap: Float64
    volume: Ints
    turnover: Float64
    adj_factor: Float64
    shares: Float64
    float_shares: Float64
