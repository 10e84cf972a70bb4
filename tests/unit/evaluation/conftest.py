"""A small market with what bends a factor test: ties, suspensions, limits, a split, a delisting, data that end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe

INDEX = "000300.SH"
DELISTED, ENDED = 3, 5  # columns


@dataclass(frozen=True)
class Market:
    panel: Panel
    universe: Universe
    eligible: np.ndarray

    def scores(self, values: np.ndarray, name: str = "factor") -> Scores:
        return Scores(name, self.panel.dates, self.panel.symbols, np.asarray(values, dtype=np.float64))

    def until(self, t: int) -> Market:
        return Market(self.panel.until(t), self.universe.until(t), self.eligible[: t + 1])


def make_market(days: int = 90, stocks: int = 30, seed: int = 0, start: str = "2019-11-01") -> Market:
    rng = np.random.default_rng(seed)
    calendar = np.arange(np.datetime64(start), np.datetime64(start) + 2 * days + 10)
    calendar = calendar[np.is_busday(calendar)][: days + 1]
    traded = rng.random((days, stocks)) > 0.05
    for column in range(0, stocks, 7):  # a long suspension
        first = int(rng.integers(5, days - 15))
        traded[first : first + 12, column] = False
    listed = np.ones((days, stocks), dtype=bool)
    listed[days * 2 // 3 :, DELISTED] = False
    traded[days * 2 // 3 - 4 :, DELISTED] = False
    traded[days // 2 :, ENDED] = False
    factor = np.ones((days, stocks))
    factor[days // 3 :, 1] = 2.0
    close = np.zeros((days, stocks))
    up, down = np.zeros((2, days, stocks), dtype=np.int32)
    last, last_factor = rng.integers(300, 3000, stocks).astype(float), np.ones(stocks)
    for t in range(days):
        previous = np.rint(last * last_factor / factor[t])
        up[t], down[t] = np.floor(previous * 1.1 + 0.5), np.floor(previous * 0.9 + 0.5)
        close[t] = np.clip(np.rint(previous * np.exp(0.06 * rng.standard_normal(stocks))), down[t], up[t])
        last = np.where(traded[t], close[t], last)
        last_factor = np.where(traded[t], factor[t], last_factor)
    vwap = np.clip(np.rint(close * (1 + 0.01 * rng.standard_normal(close.shape))), down, up)
    prices = {
        "close": close,
        "vwap": vwap,
        "low": np.minimum(close, vwap) - 1,
        "high": np.maximum(close, vwap) + 1,
    }
    fields = {k: np.where(traded, v / 100, np.nan).astype(np.float32) for k, v in prices.items()}
    panel = Panel(calendar[:-1], _symbols(stocks), fields | {"adj_factor": factor}, f"small-{seed}")
    member = rng.random(stocks) < 0.6
    universe = Universe(
        dates=panel.dates,
        symbols=panel.symbols,
        listed=listed,
        traded=traded,
        st=np.zeros_like(traded),
        limit_up=up,
        limit_down=down,
        industry=np.zeros(close.shape, dtype=np.int16),
        industries=("all",),
        members={INDEX: np.broadcast_to(member, close.shape).copy()},
        benchmark={},
        weighting={},
        index_close={INDEX: 3000 * np.exp(np.cumsum(0.01 * rng.standard_normal(days)))},
        index_total_return={},
        next_date=calendar[1:],
    )
    return Market(panel, universe, traded & (rng.random(traded.shape) < 0.95))


def _symbols(stocks: int) -> np.ndarray:
    return np.array([f"{600000 + i}.SH" for i in range(stocks)])


@pytest.fixture(scope="session")
def market() -> Market:
    return make_market()


@pytest.fixture(scope="session")
def scores(market: Market) -> Scores:
    """Coarse numbers, so that there are ties; every tenth is missing."""
    rng = np.random.default_rng(1)
    values = np.round(rng.standard_normal(market.panel.shape), 1)
    return market.scores(np.where(rng.random(values.shape) < 0.1, np.nan, values))
