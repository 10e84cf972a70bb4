"""A random market as arrays, with what goes wrong in real ones: gaps, ST, late listings, delistings, splits."""

from __future__ import annotations

import numpy as np

from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.panel.weighting import Weighting

INDEX = "000905.SH"


def weekdays(count: int, start: str = "2019-01-01") -> np.ndarray:
    days = np.arange(np.datetime64(start), np.datetime64(start) + 2 * count + 10)
    return days[np.is_busday(days)][:count]


def toy_market(days: int = 120, stocks: int = 40, seed: int = 0) -> tuple[Panel, Universe]:
    """Prices by a random walk with splits; 4 % of stock-days without a trade; some stocks list late or leave early."""
    rng = np.random.default_rng(seed)
    shape = (days, stocks)
    dates = weekdays(days + 1)
    symbols = np.array([f"{600000 + i}.SH" for i in range(stocks)])
    listed = _listed(rng, shape)
    traded = listed & (rng.random(shape) > 0.04)
    split = np.where(rng.random(shape) < 0.004, 2.0, 1.0)
    factor = np.cumprod(split, axis=0)
    value = 10 * np.exp(np.cumsum(0.02 * rng.standard_normal(shape), axis=0))
    close = np.round(value / factor * 4, 2)
    spread = np.abs(0.01 * rng.standard_normal((4, *shape)))
    prices = {
        "open": close * (1 + spread[0] - spread[1]),
        "high": close * (1 + spread[0] + spread[2]),
        "low": close * (1 - spread[1] - spread[3]),
        "close": close,
        "vwap": close * (1 + (spread[0] - spread[3]) / 2),
        "volume": np.exp(12 + rng.standard_normal(shape)) * factor,
    }
    shares = np.exp(18 + rng.standard_normal(stocks)) * factor
    fields = {k: np.where(traded, np.round(v, 2), np.nan).astype(np.float32) for k, v in prices.items()}
    fields["adj_factor"] = np.where(listed, factor, np.nan)
    last = _carry(np.where(traded, close, np.nan))
    fields["total_mv"] = (last * shares).astype(np.float32)
    fields["float_mv"] = (last * shares * 0.6).astype(np.float32)
    panel = Panel(dates[:-1], symbols, fields, f"toy-{seed}")
    return panel, _universe(rng, panel, dates, listed, traded)


def _listed(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    row = np.arange(shape[0])[:, None]
    first = np.where(rng.random(shape[1]) < 0.2, rng.integers(0, shape[0] // 2, shape[1]), 0)
    last = np.where(rng.random(shape[1]) < 0.1, rng.integers(shape[0] // 2, shape[0], shape[1]), shape[0])
    return (row >= first) & (row < last)


def _universe(
    rng: np.random.Generator, panel: Panel, dates: np.ndarray, listed: np.ndarray, traded: np.ndarray
) -> Universe:
    fen = np.rint(np.nan_to_num(_carry(panel["close"].astype(float))) * 100)
    previous = np.vstack([np.zeros((1, fen.shape[1])), fen[:-1]])
    cap = np.nan_to_num(panel["float_mv"].astype(float))
    member = listed & (np.arange(len(panel.symbols)) % 2 == 0)
    weight = np.where(member, cap, 0.0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    level = 1000 * np.exp(np.cumsum(0.01 * rng.standard_normal(len(panel.dates))))
    return Universe(
        dates=panel.dates,
        symbols=panel.symbols,
        listed=listed,
        traded=traded,
        st=np.repeat((rng.random((1, panel.shape[1])) < 0.05), panel.shape[0], axis=0),
        limit_up=np.floor(previous * 1.1 + 0.5).astype(np.int32),
        limit_down=np.floor(previous * 0.9 + 0.5).astype(np.int32),
        industry=np.repeat(rng.integers(-1, 3, (1, panel.shape[1])), panel.shape[0], axis=0).astype(np.int16),
        industries=("a", "b", "c"),
        members={INDEX: member},
        benchmark={INDEX: weight.astype(np.float32)},
        weighting={INDEX: Weighting.of("float_cap", len(panel.dates))},
        index_close={INDEX: level},
        index_total_return={},
        next_date=dates[1:],
    )


def _carry(x: np.ndarray) -> np.ndarray:
    """Last known value of each column, NaN before the first."""
    row = np.where(np.isfinite(x), np.arange(len(x))[:, None], -1)
    row = np.maximum.accumulate(row, axis=0)
    return np.where(row >= 0, np.take_along_axis(x, np.maximum(row, 0), axis=0), np.nan)
