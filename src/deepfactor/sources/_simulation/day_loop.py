"""One day of the market: corporate actions, return, limits, the day's prices and volume, what signals remember."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Ints
from deepfactor.market.limits import price_limits
from deepfactor.sources._simulation.alpha import Memories, Published
from deepfactor.sources._simulation.calendar import Clock
from deepfactor.sources._simulation.cross_section import SIZE_GROUPS, residual_return, size_groups, zscore
from deepfactor.sources._simulation.events import Events
from deepfactor.sources._simulation.firms import Firms
from deepfactor.sources._simulation.latent import Latent
from deepfactor.sources._simulation.settings import Settings
from deepfactor.sources._simulation.state import TURNOVER_SPANS, PublishedDay, State
from deepfactor.sources._simulation.statements import Statements

#: Tails of a stock's noise: Student t with this many degrees of freedom, scaled to unit variance, cut at ±25 %.
NOISE_DF, NOISE_CUT = 3.5, 0.25

#: What the limit cuts off a return is carried up to this size.
CARRY_CUT = 0.3

#: Log volatility of a stock's noise: x ← 0.97 x + 0.14 z.
VOLATILITY_MEMORY, VOLATILITY_SHOCK = 0.97, 0.14

#: Span in days of the anchor price. Noise is σ × anchor / price (the leverage effect): without it compounding alone
#: gives volatility a RankIC of −0.015 in the null market.
ANCHOR_SPAN = 60

#: Traded days below 1 CNY after which a stock is delisted.
DAYS_BELOW_ONE = 20

#: Trading days after its listing before a stock gives signals.
SEASONING = 20


@dataclass(frozen=True)
class World:
    """All that is decided before the first day."""

    settings: Settings
    clock: Clock
    firms: Firms
    events: Events
    latent: Latent
    statements: Statements
    memories: Memories


@dataclass(frozen=True)
class Draws:
    """A day's random numbers, always the same count and order. (N,) unless said."""

    shocks: Float64  # (5, N) standard normal: volatility, gap, vwap, turnover mood, turnover
    extremes: Float64  # (2, N) uniform: range above and below
    locked: Float64  # uniform
    noise: Float64  # unit-variance Student t
    factors: Float64  # (2 + industries + size groups,) standard normal


def draw_day(rng: np.random.Generator, settings: Settings) -> Draws:
    """The next day's random numbers."""
    N = settings.stocks
    shocks = rng.standard_normal((5, N))
    extremes = 1.0 - rng.random((2, N))  # in (0, 1]: its log is taken
    locked = rng.random(N)
    noise = rng.standard_normal(N) * np.sqrt((NOISE_DF - 2) / (2 * rng.standard_gamma(NOISE_DF / 2, N)))
    return Draws(shocks, extremes, locked, noise, rng.standard_normal(2 + settings.industries + SIZE_GROUPS))


@dataclass(frozen=True)
class Bounds:
    """A day's price limits in fen, (N,) int64: `up` and `down` with 0 = none; `highest` and `lowest` what can be."""

    up: Ints
    down: Ints
    highest: Ints
    lowest: Ints


def step(world: World, state: State, row: int, draws: Draws) -> PublishedDay:
    """Day `row`: overwrites `state` and returns what the tables publish."""
    firms, events = world.firms, world.events
    alive = (firms.list_row <= row) & (row < firms.delist_row) & ~state.dead
    traded = alive & ~events.suspended[row]
    lever = np.clip(state.anchor / (state.close * state.adj_factor), 0.5, 2.0)
    reference = _corporate_actions(world, state, row, alive)
    log_cap = np.log(state.shares * reference / 100.0)
    groups = size_groups(log_cap, alive)

    sigma = _noise_level(world, state, row, draws) * lever
    noise = sigma * draws.noise
    wanted = _common_return(world, row, draws, zscore(log_cap, alive), groups)
    wanted = wanted + state.memories.sum(axis=0) + np.clip(noise, -NOISE_CUT, NOISE_CUT)

    bounds = _bounds(world, row, reference)
    total = np.sqrt(sigma**2 + world.settings.volatility.market**2)
    unlimited = _to_fen(reference, wanted)
    gap = 0.43 * total * draws.shocks[1] + 0.75 * state.memories[world.memories.row("carry")]
    open_, high, low, close = _prices(reference, unlimited, gap, total, traded, bounds, draws)
    beyond = traded & ((unlimited > bounds.highest) | (unlimited < bounds.lowest))
    cut = np.where(beyond, np.clip(wanted - (close / reference - 1.0), -CARRY_CUT, CARRY_CUT), 0.0)
    middle = (open_ + high + low + 2 * close) / 5 + 0.06 * (high - low) * draws.shocks[2]
    float_shares = np.floor(state.shares * firms.float_share)
    share = world.events.open_share[row] * np.where(high == low, 0.25, 1.0)
    volume = np.where(traded, _volume(world, state, np.abs(noise), share, float_shares, draws), 0)
    day = PublishedDay(
        alive=alive,
        traded=traded,
        reference=reference,
        open=open_,
        high=high,
        low=low,
        close=close,
        limit_up=bounds.up,
        limit_down=bounds.down,
        vwap=np.clip(middle, low, high),
        volume=volume,
        turnover=np.round(volume / float_shares, 8),
        adj_factor=state.adj_factor.copy(),
        shares=state.shares.copy(),
        float_shares=float_shares,
    )
    _remember(world, state, day, row, log_cap, groups, cut)
    return day


def _bounds(world: World, row: int, reference: Ints) -> Bounds:
    """The day's limits; on a free day a price stays between a third and four times the reference."""
    age = row - world.firms.list_row
    limits = price_limits(reference, world.firms.board, world.events.st[row], age, world.clock.days[row])
    up, down = (limit.astype(np.int64) for limit in limits)
    return Bounds(up, down, np.where(up > 0, up, reference * 4), np.where(down > 0, down, reference // 3 + 1))


def _to_fen(reference: Ints, returns: Float64) -> Ints:
    """Price in fen after a return, rounded half up."""
    fen: Ints = np.floor(reference * (1 + np.maximum(returns, -0.8)) + 0.5).astype(np.int64)
    return fen


def _corporate_actions(world: World, state: State, row: int, alive: Bools) -> Ints:
    """Splits and dividends of the day: updates factor and shares, returns the reference price in fen.

    A price above 40 CNY splits, one above 15 does so one time in eight; the dividend is a share of the price.
    """
    events, close = world.events, state.close
    ex_date = events.ex_date[row] & alive
    if not ex_date.any():
        return close.copy()
    high_price = (close > 4000) | ((close > 1500) & (events.split_luck[row] < 0.12))
    ratio = np.where(ex_date & high_price, events.split[row].astype(np.float64).round(1), 1.0)
    cash = np.where(ex_date, np.rint(close * world.firms.dividend_yield), 0.0)
    after = np.maximum(np.floor((close - cash) / ratio + 0.5), 50).astype(np.int64)
    reference = np.where(ex_date, after, close)
    state.adj_factor = state.adj_factor * close / reference
    state.shares = np.rint(state.shares * ratio)
    return reference


def _common_return(world: World, row: int, draws: Draws, size: Float64, groups: Ints) -> Float64:
    """Market, industries and styles (no premium on any)."""
    volatility, firms = world.settings.volatility, world.firms
    industries = world.settings.industries
    by_industry = draws.factors[2 : 2 + industries][firms.industry]
    by_group = draws.factors[2 + industries :][groups]
    common: Float64 = (
        world.events.market[row] * firms.beta
        + volatility.industry * by_industry
        + volatility.size * draws.factors[0] * size
        + volatility.size_group * by_group
        + volatility.value * draws.factors[1] * firms.value
    )
    return common


def _noise_level(world: World, state: State, row: int, draws: Draws) -> Float64:
    """Deviation of a stock's own noise today: clustering, high in the first five days and under ST."""
    state.log_volatility = VOLATILITY_MEMORY * state.log_volatility + VOLATILITY_SHOCK * draws.shocks[0]
    age = row - world.firms.list_row
    new = np.where((age >= 0) & (age < 5), 2.5, 1.0)
    st = np.where(world.events.st[row], 1.15, 1.0)
    level: Float64 = world.firms.idiosyncratic * np.exp(state.log_volatility) * new * st
    return level


def _prices(
    reference: Ints,
    unlimited: Ints,
    gap: Float64,
    deviation: Float64,
    traded: Bools,
    bounds: Bounds,
    draws: Draws,
) -> tuple[Ints, Ints, Ints, Ints]:
    """(open, high, low, close) in fen; all the reference where there is no trade.

    The close is the unlimited one cut at the limits; one cut day in seven is locked there from the open on, on other
    days the open takes in a quarter of the day's return, and `gap`. High and low are the extremes of a Brownian bridge
    from open to close: from P(max ≥ m) = exp(−2 m (m − g) / v) for a bridge
    from 0 to g with variance v follows m = (g + √(g² − 2 v ln u)) / 2.
    """
    close = np.clip(unlimited, bounds.lowest, bounds.highest)
    locked = (unlimited != close) & (bounds.up > 0) & (draws.locked < 0.15)
    opening = _to_fen(reference, 0.25 * (close / reference - 1.0) + gap)
    open_ = np.where(locked, close, np.clip(opening, bounds.lowest, bounds.highest))
    g, twice_v = np.log(close / open_), 1.5 * deviation**2
    above = (g + np.sqrt(g**2 - twice_v * np.log(draws.extremes[0]))) / 2
    below = (g - np.sqrt(g**2 - twice_v * np.log(draws.extremes[1]))) / 2
    high = np.clip(_to_fen(open_, np.expm1(np.minimum(above, 1))), np.maximum(open_, close), bounds.highest)
    low = np.clip(_to_fen(open_, np.expm1(below)), bounds.lowest, np.minimum(open_, close))
    high, low = np.where(locked, close, high), np.where(locked, close, low)
    open_, high, low, close = (np.where(traded, price, reference) for price in (open_, high, low, close))
    return open_, high, low, close


def _volume(world: World, state: State, move: Float64, share: Float64, float_shares: Float64, draws: Draws) -> Ints:
    """Shares traded, in lots of 100: ln turnover is autocorrelated and rises with the size of the stock's own move.

    `share` is what can be traded of it: less where the market was halted, a quarter at a single price.
    """
    surprise = move / world.firms.idiosyncratic - 0.80
    state.turnover_mood = 0.92 * state.turnover_mood + 0.16 * surprise + 0.13 * draws.shocks[3]
    log_turnover = world.firms.log_turnover + state.turnover_mood + 0.15 * surprise + 0.12 * draws.shocks[4]
    turnover = np.exp(np.clip(log_turnover, -9.0, -0.7)) * share
    shares: Ints = np.maximum(np.rint(turnover * float_shares / 100), 1).astype(np.int64) * 100
    return shares


def _remember(
    world: World, state: State, day: PublishedDay, row: int, log_cap: Float64, groups: Ints, cut: Float64
) -> None:
    """Bring the state to the day's close."""
    firms, statements = world.firms, world.statements
    known = np.isfinite(state.turnover_mean[0])
    seasoned = day.traded & (row - firms.list_row >= SEASONING) & known
    returns = day.close / day.reference - 1.0
    residual = residual_return(returns, seasoned, log_cap, firms.industry, world.settings.industries)
    book_to_price = None
    if world.events.deadline[row]:
        book_to_price = np.log(statements.equity(row) / (day.shares * day.close / 100.0))
    published = Published(
        day.traded,
        seasoned,
        returns,
        residual,
        groups,
        day.turnover,
        turnover_5=state.turnover_mean[0],
        turnover_10=state.turnover_mean[1],
        turnover_60=state.turnover_mean[2],
        surprise=statements.surprise(row),
        book_to_price=book_to_price,
        neighbours=world.latent.neighbours,
        cut=cut,
    )
    state.memories = world.memories.update(state.memories, published, day.alive)

    for k, span in enumerate(TURNOVER_SPANS):
        mean = state.turnover_mean[k]
        moved = np.where(known, mean + (day.turnover - mean) * 2 / (span + 1), day.turnover)
        state.turnover_mean[k] = np.where(day.traded, moved, mean)
    adjusted = day.close * day.adj_factor
    state.anchor = state.anchor + np.where(day.traded, adjusted - state.anchor, 0.0) * 2 / (ANCHOR_SPAN + 1)
    state.close = day.close
    state.days_below_one = np.where(day.traded & (day.close < 100), state.days_below_one + 1, 0)
    state.dead = state.dead | (state.days_below_one >= DAYS_BELOW_ONE)
