"""What happens to firms on given days: suspensions, special treatment, ex-dates; and the market's own path.

Everything is drawn in whole years or blocks from streams of their own and cut afterwards, so that a longer market
repeats a shorter one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float32, Float64
from deepfactor.sources._simulation.calendar import Clock
from deepfactor.sources._simulation.firms import YEAR, Firms
from deepfactor.sources._simulation.randomness import stream
from deepfactor.sources._simulation.settings import Settings

#: Days of a block of suspensions, and of the market's path (five years: long enough for a year to differ from another).
SUSPENSION_BLOCK, MARKET_BLOCK = 250, 5 * YEAR

MARKET_DRIFT = 0.0003

#: Days on which the circuit breaker closed the market → share of a day's trading that was done until then, and the
#: market's return.
HALTS = {"2016-01-04": (0.65, -0.07), "2016-01-07": (0.12, -0.07)}

#: From these days on every report of the season is out: the value state is re-set on the next trading day.
DEADLINES = ("05-01", "09-01", "11-01")


@dataclass(frozen=True)
class Events:
    """Rows 0 … stop − 1 of the clock.

    Attributes
    ----------
    suspended, st, ex_date : (stop, N) bool
    split : (stop, N) float32
        shares after / before on an ex-date if the firm splits then; 1 on other days.
    split_luck : (stop, N) float32
        uniform draw on ex-dates that decides whether a firm with a middling price splits; 1 on other days.
    market : (stop,) float64
        the market's own return.
    open_share : (stop,) float64
        share of the day on which the market was open: 1 but on the halts of 2016.
    deadline : (stop,) bool
        the value state is re-set: the first row, and the first trading day after a statutory deadline.
    """

    suspended: Bools
    st: Bools
    ex_date: Bools
    split: Float32
    split_luck: Float32
    market: Float64
    open_share: Float64
    deadline: Bools


def draw_events(settings: Settings, clock: Clock, firms: Firms) -> Events:
    """All events of a market."""
    ex_date, split, luck = _ex_dates(settings, clock)
    market, open_share = _market_path(settings, clock.stop), np.ones(clock.stop)
    for day, (share, fall) in HALTS.items():
        halted = clock.days[: clock.stop] == np.datetime64(day)
        market[halted], open_share[halted] = fall, share
    return Events(
        suspended=_suspensions(settings, clock),
        st=_special_treatment(settings, clock, firms),
        ex_date=ex_date,
        split=split,
        split_luck=luck,
        market=market,
        open_share=open_share,
        deadline=_deadlines(clock),
    )


def _deadlines(clock: Clock) -> Bools:
    rows = np.array([clock.row(f"{year}-{day}") for year in clock.years() for day in DEADLINES])
    deadline = np.zeros(clock.stop, bool)
    deadline[rows[rows < clock.stop]] = True
    deadline[0] = True
    return deadline


def _suspensions(settings: Settings, clock: Clock) -> Bools:
    """One start in 400 stock-days, five days on average, one in fifty of them sixty days longer."""
    D, N = clock.stop, settings.stocks
    suspended = np.zeros((D, N), bool)
    for block in range(-(-D // SUSPENSION_BLOCK)):
        rng = stream(settings.seed, "events", block)
        day, stock = np.nonzero(rng.random((SUSPENSION_BLOCK, N)) < 1 / 400)
        length = rng.geometric(1 / 5, len(day)) + 60 * (rng.random(len(day)) < 0.02)
        for d, i, days in zip(day + block * SUSPENSION_BLOCK, stock, length, strict=True):
            suspended[d : d + days, i] = True
    return suspended


def _special_treatment(settings: Settings, clock: Clock, firms: Firms) -> Bools:
    """From early May, 1.8 % of firms a year, for one year or (two in five) two; and 180 days before a delisting."""
    D, N = clock.stop, settings.stocks
    st = np.zeros((D, N), bool)
    for year in clock.years():
        rng = stream(settings.seed, "events", 10_000 + year)
        named, two_years = rng.random(N) < 0.018, rng.random(N) < 0.4
        d = clock.row(f"{year}-05-04")
        for i in np.flatnonzero(named & (firms.list_row < d - 240)):
            st[d : d + YEAR * (1 + int(two_years[i])), i] = True
    for i in np.flatnonzero(firms.delist_row < D + 180):
        st[max(firms.delist_row[i] - 180, 0) : firms.delist_row[i], i] = True
    return st


def _ex_dates(settings: Settings, clock: Clock) -> tuple[Bools, Float32, Float32]:
    """One ex-date a firm and year, between 20 May and 20 July."""
    D, N = clock.stop, settings.stocks
    ex_date = np.zeros((D, N), bool)
    split, luck = np.ones((D, N), np.float32), np.ones((D, N), np.float32)
    for year in clock.years():
        rng = stream(settings.seed, "corporate_actions", year)
        place, draw, ratio = rng.random(N), rng.random(N), rng.choice([1.2, 1.3, 1.4, 1.5, 2.0], N)
        first, last = clock.row(f"{year}-05-20"), clock.row(f"{year}-07-20")
        day = first + (place * (last - first)).astype(np.int64)
        inside = np.flatnonzero((day < D) & (last > first))
        ex_date[day[inside], inside] = True
        split[day[inside], inside] = ratio[inside]
        luck[day[inside], inside] = draw[inside]
    return ex_date, split, luck


def _market_path(settings: Settings, days: int) -> Float64:
    """The market's return by day: volatility clusters, tails of a t with 6 degrees of freedom.

    Mean and deviation are set for each block of five years: the cross-section can't see a market-wide constant.
    """
    blocks = []
    for block in range(-(-days // MARKET_BLOCK)):
        rng = stream(settings.seed, "market", block)
        shock = 0.07 * rng.standard_normal(MARKET_BLOCK)
        tails = rng.standard_t(6, MARKET_BLOCK)
        log_volatility = np.zeros(MARKET_BLOCK)
        log_volatility[0] = shock[0] / np.sqrt(1 - 0.98**2)
        for d in range(1, MARKET_BLOCK):
            log_volatility[d] = 0.98 * log_volatility[d - 1] + shock[d]
        path = np.exp(log_volatility) * tails
        blocks.append((path - path.mean()) / path.std() * settings.volatility.market + MARKET_DRIFT)
    return np.concatenate(blocks)[:days]
