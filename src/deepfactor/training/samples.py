"""One day's batch, gathered by index from the panel of features: windows are never stored."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from deepfactor.models.base import CrossSection
from deepfactor.training import scaling
from deepfactor.training.data import Indices, TrainingData

Target = Literal["rank", "zscore"]

CLIP_ZSCORE = 3.0


class Sampler:
    """Cross-sections of the days of `data`. A day's scaling statistics are computed once and kept.

    Not for two threads: a cross-section's windows live in a buffer that the next call overwrites.
    """

    def __init__(self, data: TrainingData) -> None:
        self.data = data
        self._values = data.features.values.transpose(0, 2, 1)  # (T, f, N)
        self._stats: dict[int, scaling.Stats] = {}
        widest = int(np.asarray(data.batch).sum(axis=1).max(initial=0))
        size = data.window * len(data.features.names) * widest
        self._gathered, self._turned = np.empty(size, np.float32), torch.empty(size)

    def cross_section(self, t: int, inputs: frozenset[str]) -> CrossSection:
        """The batch of ``data.stocks(t)`` (b,), with what the model's `inputs` ask for; valid until the next call."""
        stocks = self.data.stocks(t)
        relative = self._relative(t, stocks)
        if t not in self._stats:
            self._stats[t] = scaling.statistics(relative)
        scaling.apply(relative, self._stats[t])
        windows = self._turned[: relative.size].view(relative.shape[0], relative.shape[2], relative.shape[1])
        windows.copy_(torch.from_numpy(relative).transpose(1, 2))  # (L, b, f)
        rank = torch.from_numpy(size_rank(self.data.size[t, stocks])) if "size_rank" in inputs else None
        return CrossSection(windows, rank)

    def _relative(self, t: int, stocks: Indices) -> scaling.Windows:
        """Relative windows (L, f, b) of rows t−L+1 … t; rows before the market's first are missing."""
        length = self.data.window
        shape = (length, self._values.shape[1], len(stocks))
        out = self._gathered[: shape[0] * shape[1] * shape[2]].reshape(shape)
        absent = max(length - 1 - t, 0)
        out[:absent] = np.nan
        np.take(self._values[t + 1 - length + absent : t + 1], stocks, axis=2, out=out[absent:], mode="clip")
        scaling.make_relative(out, self.data.features.names, self.data.features.roles)
        return out


def size_rank(size: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rank of each stock by size, 0 = smallest, ties by the order given: (b,)."""
    rank = np.empty(len(size), np.int64)
    rank[np.argsort(size, kind="stable")] = np.arange(len(size))
    return rank


def average_rank(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rank from 1 of each of the finite (m,) values; equal values share the mean of their ranks."""
    order = np.argsort(x, kind="stable")
    ascending = x[order]
    starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])  # of runs of equal values
    ends = np.r_[starts[1:], len(x)]
    rank = np.empty(len(x))
    rank[order] = np.repeat((starts + 1 + ends) / 2, ends - starts)
    return rank


def standardise(label: NDArray[np.float64], target: Target) -> NDArray[np.float32]:
    """What the loss compares with, from a day's m finite labels (m,).

    "rank": ((average rank − 0.5)/m − 0.5)·√12, uniform with variance 1; "zscore": z-scored (population standard
    deviation; zeros where there is no spread), clipped at ±3.
    """
    if target == "rank":
        uniform: NDArray[np.float64] = (average_rank(label) - 0.5) / len(label) - 0.5
        scaled: NDArray[np.float32] = (uniform * np.sqrt(12.0)).astype(np.float32)
        return scaled
    spread = label.std()
    if spread == 0:
        return np.zeros(len(label), np.float32)
    clipped: NDArray[np.float32] = np.clip((label - label.mean()) / spread, -CLIP_ZSCORE, CLIP_ZSCORE).astype(
        np.float32
    )
    return clipped


def rank_ic(score: NDArray[np.floating], label: NDArray[np.float64]) -> float:
    """Spearman correlation with average ranks of two (m,) arrays; 0 where one of them has no spread."""
    x, y = average_rank(score), average_rank(label)
    x -= x.mean()
    y -= y.mean()
    size = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / size) if size > 0 else 0.0
