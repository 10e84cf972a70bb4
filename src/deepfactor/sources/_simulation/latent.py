"""What a firm is: a latent vector behind its statements, and the firms most like it. No table holds either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Float64, Ints
from deepfactor.sources._simulation.randomness import stream
from deepfactor.sources._simulation.settings import Settings

#: Length of the vector, and how much of it (from the front) decides who is like whom.
LATENT, ALIKE = 6, 4

#: Weight of an industry's centre and of the firm's own draw in the vector: variance near 1, a little industry in it.
INDUSTRY_WEIGHT, OWN_WEIGHT = 0.35, 0.94

_BLOCK = 512


@dataclass(frozen=True)
class Latent:
    """The hidden side of N firms.

    Attributes
    ----------
    vector : (N, 6) float64
        drives asset turnover, gross margin, leverage, net margin, growth, cash conversion, in this order.
    neighbours : (N, k) int64
        the k firms with the highest cosine of the first four entries, in ascending order; never the firm itself.
    """

    vector: Float64
    neighbours: Ints


def draw_latent(settings: Settings, industry: Ints) -> Latent:
    """Vectors and true neighbours of all firms, listed or not; they hold for the market's whole life."""
    rng = stream(settings.seed, "latent")
    centre = rng.standard_normal((settings.industries, LATENT))
    own = rng.standard_normal((settings.stocks, LATENT))
    vector = INDUSTRY_WEIGHT * centre[industry] + OWN_WEIGHT * own
    return Latent(vector, _most_alike(vector[:, :ALIKE], settings.neighbours))


def _most_alike(vector: Float64, count: int) -> Ints:
    unit = vector / np.sqrt((vector * vector).sum(axis=1, keepdims=True))
    alike = np.empty((len(unit), count), np.int64)
    for first in range(0, len(unit), _BLOCK):
        block = unit[first : first + _BLOCK]
        cosine = np.zeros((len(block), len(unit)))
        for k in range(unit.shape[1]):  # no BLAS: its sums differ from build to build
            cosine += block[:, k, None] * unit[None, :, k]
        rows = np.arange(len(block))
        cosine[rows, first + rows] = -2.0
        alike[first : first + _BLOCK] = np.sort(np.argpartition(-cosine, count, axis=1)[:, :count], axis=1)
    return alike
