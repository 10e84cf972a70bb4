"""Enhancers without a solver, markets by hand, and scores for backtests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from deepfactor.panel.weighting import Weighting
from deepfactor.portfolio.problem import Rebalance, Target

INDEX = "000905.SH"


def answer(r: Rebalance, weights: np.ndarray) -> Target:
    return Target(
        weights=weights, objective=float((r.score * weights).sum()), relaxations=(), binding=(), conflict=(),
        status="optimal", iterations=0, primal_residual=0.0, dual_residual=0.0, gap=0.0, seconds=0.0,
    )  # fmt: skip


@dataclass
class BestScores:
    """Equal weights on the best buyable names; the frozen keep theirs. Remembers what it was asked."""

    names: int = 5
    cash: float = 0.005

    def __post_init__(self) -> None:
        self.asked: list[Rebalance] = []

    def solve(self, r: Rebalance) -> Target:
        self.asked.append(r)
        weights = np.where(r.frozen, r.previous, 0.0)
        best = np.flatnonzero(r.buyable)[np.argsort(-r.score[r.buyable], kind="stable")][: self.names]
        weights[best] = max(1.0 - self.cash - weights.sum(), 0.0) / max(len(best), 1)
        return answer(r, weights)


@dataclass
class Scripted:
    """The given target weights by symbol, one mapping a rebalance."""

    targets: Sequence[Mapping[str, float]]

    def __post_init__(self) -> None:
        self.asked: list[Rebalance] = []

    def solve(self, r: Rebalance) -> Target:
        target = self.targets[len(self.asked)]
        self.asked.append(r)
        return answer(r, np.array([target.get(str(symbol), 0.0) for symbol in r.symbols]))


def random_scores(panel: Panel, seed: int = 0) -> Scores:
    values = np.random.default_rng(seed).standard_normal(panel.shape)
    return Scores("random", panel.dates, panel.symbols, values)


def hand_market(
    dates: Sequence[str],
    close: Mapping[str, Sequence[float]],
    *,
    vwap: Mapping[str, Sequence[float]] | None = None,
    factor: Mapping[str, Sequence[float]] | None = None,
    limits: Callable[[np.ndarray, np.ndarray], None] | None = None,
    benchmark: Mapping[str, float] | None = None,
    index: Sequence[float] | None = None,
    delisted: Mapping[str, int] | None = None,
) -> tuple[Panel, Universe]:
    """A market of a few stocks and days. NaN close = no trade; `dates` has one more, the day after the last.

    `limits` may write into the (T, N) arrays of upper and lower limits in fen, zero (none) at first.
    """
    days = np.array(dates, dtype="datetime64[D]")
    symbols = np.array(sorted(close))
    shape = (len(days) - 1, len(symbols))
    price = np.array([close[s] for s in symbols], dtype=np.float64).T
    fill = np.array([(vwap or {}).get(s, close[s]) for s in symbols], dtype=np.float64).T
    adjust = np.array([(factor or {}).get(s, np.ones(shape[0])) for s in symbols], dtype=np.float64).T
    up, down = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
    if limits is not None:
        limits(up, down)
    listed = np.ones(shape, dtype=bool)
    for symbol, row in (delisted or {}).items():
        listed[row:, symbols.tolist().index(symbol)] = False
    weight = np.array([(benchmark or {symbols[0]: 1.0}).get(s, 0.0) for s in symbols])
    low, high = np.fmin(price, fill) - 0.01, np.fmax(price, fill) + 0.01
    raw = {
        "open": price,
        "high": high,
        "low": low,
        "close": price,
        "vwap": fill,
        "volume": np.where(price > 0, 1e6, np.nan),
    }
    fields = {k: v.astype(np.float32) for k, v in raw.items()} | {"adj_factor": adjust}
    universe = Universe(
        dates=days[:-1],
        symbols=symbols,
        listed=listed,
        traded=np.isfinite(price),
        st=np.zeros(shape, dtype=bool),
        limit_up=up,
        limit_down=down,
        industry=np.zeros(shape, dtype=np.int16),
        industries=("all",),
        members={INDEX: np.tile(weight > 0, (shape[0], 1))},
        benchmark={INDEX: np.tile(weight, (shape[0], 1)).astype(np.float32)},
        weighting={INDEX: Weighting.of("published", shape[0])},
        index_close={INDEX: np.asarray(index, dtype=np.float64)} if index is not None else {},
        index_total_return={},
        next_date=days[1:],
    )
    return Panel(days[:-1], symbols, fields, "by-hand"), universe


def until_with_scores(panel: Panel, universe: Universe, scores: Scores, t: int) -> tuple[Panel, Universe, Scores]:
    """All three as they were at the close of row t."""
    cut = replace(scores, dates=scores.dates[: t + 1], values=scores.values[: t + 1])
    return panel.until(t), universe.until(t), cut
