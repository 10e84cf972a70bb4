"""True neighbours of a simulated market: how many of them a graph holds, and what their returns alone say."""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Bools, Float64
from deepfactor.graphs import fundamental
from deepfactor.graphs.base import ROOM as GRAPHS
from deepfactor.graphs.base import Graph
from deepfactor.pipeline.markets import Market
from deepfactor.sources._simulation.alpha import KERNELS
from deepfactor.sources.simulated import Settings, open_source
from research.graph_recall import recall
from research.mechanism.trained import Trained

#: Days of a network's window.
WINDOW = 20


def true_neighbours(market: Market, settings: Settings) -> Bools:
    """Whether the returns of stock j spill over to stock i: (N, N), row i."""
    place = {symbol: i for i, symbol in enumerate(market.panel.symbols.tolist())}
    found = np.zeros((len(place), len(place)), dtype=bool)
    for stock, other in open_source(settings).neighbours().iter_rows():
        if stock in place and other in place:
            found[place[stock], place[other]] = True
    return found


def graph_recall(trained: Trained) -> float:
    """Share of the true pairs that the default fundamental graph holds, mean over the test's months."""
    market, truth = trained.market, true_neighbours(trained.market, trained.settings)
    rows = range(trained.test.start, trained.test.stop, 21)
    return float(np.mean([recall(fundamental.Settings(), market.panel, market.universe, truth, t) for t in rows]))


def neighbour_scores(trained: Trained) -> dict[str, Float64]:
    """Scores (days, N) of the test rows: neighbours' mean return less its industry's, remembered as alpha does.

    Of the true neighbours, of the default graph's and of its random twin's: what a linear model with the right memory
    finds that knows these, and no more.
    """
    market, test = trained.market, trained.test
    memory = _memory(market, test)
    true = true_neighbours(market, trained.settings).astype(np.float64)
    scores = {"true neighbours": memory @ _mean(true).T}
    for name, kind in (("graph's neighbours", "fundamental"), ("random neighbours", "random")):
        scores[name] = np.zeros(memory.shape)
        for first in range(0, len(test), 21):
            rows = slice(first, first + 21)
            weights = _mean(_adjacency(GRAPHS.choose(kind), market, test.start + first))
            scores[name][rows] = memory[rows] @ weights.T
    return scores


def _adjacency(graph: Graph, market: Market, row: int) -> Float64:
    """(N, N): 1 where the graph of a day relates two stocks that traded."""
    columns = np.flatnonzero(market.universe.traded[row])
    index, _ = graph.part.edges(graph.settings, market.panel, market.universe, row, columns)
    out = np.zeros((market.panel.shape[1],) * 2)
    stock, place = np.nonzero(index[:, 1:] >= 0)
    out[columns[stock], columns[index[stock, place + 1]]] = 1.0
    return out


def _mean(adjacency: Float64) -> Float64:
    mean: Float64 = adjacency / np.maximum(adjacency.sum(axis=1, keepdims=True), 1.0)
    return mean


def _memory(market: Market, test: range) -> Float64:
    """Σ λ^j · (return less industry mean)[t − j] over the window, (days, N)."""
    panel, universe = market.panel, market.universe
    rows = slice(test.start - WINDOW, test.stop)
    price = panel["close"][rows].astype(np.float64) * panel["adj_factor"][rows]
    residual = np.zeros(price.shape)
    residual[1:] = np.nan_to_num(price[1:] / price[:-1] - 1.0)
    for i, (industry, traded) in enumerate(zip(universe.industry[rows], universe.traded[rows], strict=True)):
        code = industry + 1  # unknown is −1
        total = np.bincount(code, np.where(traded, residual[i], 0.0))
        count = np.bincount(code, traded)
        residual[i] = np.where(traded, residual[i] - (total / np.maximum(count, 1))[code], 0.0)
    (half_life,) = KERNELS["spillover"]
    out = np.zeros((len(test), price.shape[1]))
    for lag in range(WINDOW):
        out += 0.5 ** (lag / half_life) * residual[WINDOW - lag : len(residual) - lag]
    return out
