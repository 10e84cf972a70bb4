"""The oracle against what it claims to be: the mean of a day's future over many continuations of the market.

From the state at one close the market is run on 500 times, each time with new noise, a new path of the market and new
signs of the earnings surprises to come. The mean return close t+1 → close t+11 of each stock, less the cross-section's
mean, must be the oracle: correlation at least 0.90, slope 0.75 to 1.05. Stocks on which a limit cut a return at t are
left out, because what is carried over is an upper bound. About 5 CPU-s a market.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest

from deepfactor.core.arrays import Bools, Float64
from deepfactor.sources._simulation.day_loop import World, draw_day, step
from deepfactor.sources._simulation.market import make_world
from deepfactor.sources._simulation.randomness import stream
from deepfactor.sources._simulation.state import State, first_state
from deepfactor.sources.simulated import PARTS, VISIBLE, Settings

pytestmark = pytest.mark.slow

CONTINUATIONS, HORIZON = 500, 10


@dataclass(frozen=True)
class Continued:
    """Of N stocks at one close: who counts, the oracle by part, mean and deviation of the future return."""

    kept: Bools
    oracle: dict[str, Float64]
    mean: Float64
    deviation: Float64

    def sum_of(self, parts: tuple[str, ...]) -> Float64:
        total = np.sum([self.oracle[part] for part in parts], axis=0)[self.kept]
        centred: Float64 = total - total.mean()
        return centred

    def future(self) -> Float64:
        centred: Float64 = self.mean[self.kept] - self.mean[self.kept].mean()
        return centred


def _other_future(world: World, first: int, last: int, rng: np.random.Generator) -> World:
    """The same world with the market's path and the signs of coming surprises drawn anew on rows first … last."""
    market = world.events.market.copy()
    days = last + 1 - first
    market[first : last + 1] = rng.choice(market, days) * rng.choice([-1.0, 1.0], days)
    surprises = dict(world.statements.surprises)
    for row in range(first, last + 1):
        if row in surprises:
            stocks, values = surprises[row]
            surprises[row] = stocks, values * rng.choice([-1.0, 1.0], len(values))
    events = replace(world.events, market=market)
    return replace(world, events=events, statements=replace(world.statements, surprises=surprises))


def _future(world: World, state: State, row: int, rng: np.random.Generator) -> tuple[Float64, Bools]:
    """Return close row+1 → close row+1+HORIZON of one continuation, and who traded at both ends."""
    other = _other_future(world, row + 1, row + 1 + HORIZON, rng)
    state = copy.deepcopy(state)
    price, traded = [], []
    for k in range(1, HORIZON + 2):
        day = step(other, state, row + k, draw_day(rng, world.settings))
        price.append(day.close * day.adj_factor)
        traded.append(day.traded)
    return price[-1] / price[0] - 1.0, traded[0] & traded[-1]


def continued(settings: Settings, row: int) -> Continued:
    """Run a market to the close of `row`, then on from there many times."""
    world = make_world(settings)
    state = first_state(settings.seed, world.firms, len(world.memories.parts))
    rng = stream(settings.seed, "days")
    for d in range(row + 1):
        day = step(world, state, d, draw_day(rng, settings))
    truth = world.memories.truth(state.memories, np.full(settings.stocks, 0.1))
    total, square, count = (np.zeros(settings.stocks) for _ in range(3))
    rng = np.random.default_rng(99)
    for _ in range(CONTINUATIONS):
        future, both = _future(world, state, row, rng)
        future = np.where(both, future - future[both].mean(), 0.0)
        total, square, count = total + future, square + future**2, count + both
    mean = total / np.maximum(count, 1)
    deviation = np.sqrt(np.maximum(square / np.maximum(count, 1) - mean**2, 0.0))
    aged = row - world.firms.list_row > 60
    uncut = state.memories[world.memories.row("carry")] == 0.0
    kept = day.traded & aged & uncut & (count > 0.9 * CONTINUATIONS) & ~world.events.st[row]
    oracle = {part: world.memories.oracle(truth, part, HORIZON) for part in PARTS}
    return Continued(kept, oracle, mean, deviation)


@pytest.mark.parametrize(("seed", "row"), [(0, 900)])
def test_oracle_is_the_mean_of_many_futures(seed: int, row: int) -> None:
    found = continued(Settings(seed=seed, start=date(2018, 1, 2), end=date(2022, 12, 30)), row)
    oracle, future = found.sum_of(PARTS), found.future()
    error = found.deviation[found.kept].mean() / np.sqrt(CONTINUATIONS)
    assert found.kept.sum() > 200
    assert error < 0.3 * oracle.std()  # enough continuations to say anything
    correlation = np.corrcoef(oracle, future)[0, 1]
    slope = (oracle @ future) / (oracle @ oracle)
    assert correlation >= 0.90, (correlation, slope)
    assert 0.75 <= slope <= 1.05, (correlation, slope)
    # the parts that no price shows are needed for it
    assert np.corrcoef(found.sum_of(VISIBLE), future)[0, 1] < correlation - 0.03
