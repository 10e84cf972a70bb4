"""Random rebalances and their peer as fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deepfactor.portfolio.problem import Rebalance
from oracles.linear_program import Peer, make_peer
from support.rebalances import make_week

WeekMaker = Callable[..., Rebalance]


@pytest.fixture(scope="session")
def week() -> WeekMaker:
    return make_week


@pytest.fixture(scope="session")
def peer() -> Callable[..., Peer]:
    return make_peer
