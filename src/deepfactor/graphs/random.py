"""`random`: each stock has as many neighbours as in another graph, and as similar, but other stocks drawn by chance.

The ablation that tells whether it matters who is related: what a network gains on it, it gains without knowing that.
A pair's luck is a hash of the seed and of both symbols, so that relations last from month to month, as those of the
other graph do, whoever else is asked for.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from deepfactor.core.arrays import Ints
from deepfactor.core.spec import Spec
from deepfactor.graphs.base import ROOM, Edges, Graph
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

_BLOCK = 256
Hashes = NDArray[np.uint64]


#: Chinese of what results call it: `deepfactor.report.press.words` finds it here.
WORDS = {
    "like": "度数参照",
}


class Settings(Spec):
    """Whose number of neighbours, and which draw."""

    like: Graph = Field(default=ROOM.choose("fundamental"), description="the graph whose degrees are copied")
    seed: int = Field(default=0, ge=0, description="makes the draw")


def edges(settings: Settings, panel: Panel, universe: Universe, row: int, columns: Ints) -> Edges:
    """As many places, of the same similarities in the same order, as in `like`; the luckiest others take them."""
    like = settings.like.part.edges(settings.like.settings, panel, universe, row, columns)
    index = like.neighbour.copy()
    width = index.shape[1] - 1
    symbol = np.array([zlib.crc32(s.encode()) for s in panel.symbols[columns].tolist()], dtype=np.uint64)
    for first in range(0, len(columns), _BLOCK):
        rows = slice(first, first + _BLOCK)
        drawn = _luckiest(_luck(settings.seed, symbol[rows], symbol), first, width)
        index[rows, 1:][:, : drawn.shape[1]] = drawn
    return Edges(np.where(like.neighbour < 0, -1, index), like.similarity)


def _luckiest(luck: Hashes, first: int, count: int) -> Ints:
    """Positions of the `count` smallest numbers of each row (or all), ascending by number; never the stock itself."""
    rows = np.arange(len(luck))
    luck[rows, first + rows] = np.iinfo(np.uint64).max
    count = min(count, luck.shape[1] - 1)
    if count < 1:
        return np.empty((len(luck), 0), dtype=np.int64)
    chosen = np.argpartition(luck, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(luck, chosen, axis=1), axis=1)
    return np.take_along_axis(chosen, order, axis=1)


def _luck(seed: int, stock: Hashes, other: Hashes) -> Hashes:
    """A random number for each ordered pair (n, b): the finaliser of splitmix64 (Steele et al. 2014)."""
    x = (stock[:, None] << np.uint64(32)) ^ other[None, :]
    x += np.uint64((0x9E3779B97F4A7C15 * (seed + 1)) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))
