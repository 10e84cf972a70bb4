"""The whole market: runs the days and keeps what was published."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from deepfactor.core.arrays import AnyArray, Bools, Dates, Float32, Float64, Ints
from deepfactor.sources._simulation.alpha import Memories
from deepfactor.sources._simulation.calendar import make_clock
from deepfactor.sources._simulation.day_loop import World, draw_day, step
from deepfactor.sources._simulation.events import draw_events
from deepfactor.sources._simulation.firms import draw_firms
from deepfactor.sources._simulation.latent import draw_latent
from deepfactor.sources._simulation.randomness import stream
from deepfactor.sources._simulation.settings import Settings
from deepfactor.sources._simulation.state import PublishedDay, first_state
from deepfactor.sources._simulation.statements import draw_statements

#: Fields of a day that fit 32 bits.
_NARROW = frozenset({"reference", "open", "high", "low", "close", "limit_up", "limit_down"})


@dataclass(frozen=True)
class History:
    """What was published on T days for N firms, and the truth behind it. Arrays (T, N) unless said; see `state.Day`.

    Attributes
    ----------
    dates : (T,) datetime64[D]
    st : bool
    memories : (K, T, N) float32
        of alpha, at the close of each day, as `alpha.Memories.oracle` wants them.
    delist_row : (N,) int64
        row of the clock on which a firm is gone, known by the end; −1 = still listed.
    """

    dates: Dates
    days: PublishedDay
    st: Bools
    memories: Float32
    delist_row: Ints

    @property
    def total_cap(self) -> Float64:
        """Total market value in CNY at the close."""
        return self.days.shares * self.days.close / 100.0

    @property
    def float_cap(self) -> Float64:
        """Market value of the float shares in CNY at the close."""
        return self.days.float_shares * self.days.close / 100.0


def make_world(settings: Settings) -> World:
    """Everything that is decided before the first day."""
    clock = make_clock(settings.start, settings.end)
    firms = draw_firms(settings, clock)
    latent = draw_latent(settings, firms.industry)
    statements = draw_statements(settings, clock, firms, latent)
    return World(settings, clock, firms, draw_events(settings, clock, firms), latent, statements, Memories.of(settings))


def run_market(world: World) -> History:
    """Simulate all days; the burn-in is run and not kept."""
    clock, N = world.clock, world.settings.stocks
    state = first_state(world.settings.seed, world.firms, len(world.memories.parts))
    rng = stream(world.settings.seed, "days")
    kept: dict[str, AnyArray] = {}
    T = clock.stop - clock.start
    memories = np.zeros((len(world.memories.parts), T, N), np.float32)
    gone = np.full(N, -1, np.int64)
    for row in range(clock.stop):
        was_dead = state.dead
        day = step(world, state, row, draw_day(rng, world.settings))
        gone[state.dead & ~was_dead] = row + 1
        if row >= clock.start:
            _keep(kept, day, row - clock.start, T)
            memories[:, row - clock.start] = world.memories.truth(state.memories, _limit(day))
    planned = world.firms.delist_row
    gone = np.where(gone >= 0, np.minimum(gone, planned), planned)
    gone = np.where(gone < clock.stop, gone, -1)
    history = PublishedDay(**kept)
    return History(clock.published, history, world.events.st[clock.start :], memories, gone)


def _limit(day: PublishedDay) -> Float64:
    """The day's upper limit as a fraction of the reference; inf where there is none."""
    limit: Float64 = np.where(day.limit_up > 0, day.limit_up / day.reference - 1.0, np.inf)
    return limit


def _keep(kept: dict[str, AnyArray], day: PublishedDay, t: int, T: int) -> None:
    for field in fields(PublishedDay):
        value = getattr(day, field.name)
        if field.name not in kept:
            kept[field.name] = np.zeros((T, len(value)), np.int32 if field.name in _NARROW else value.dtype)
        kept[field.name][t] = value
