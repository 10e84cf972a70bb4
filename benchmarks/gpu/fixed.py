"""A training step whose shapes never change, all that it reads lying on the device: so it can be one CUDA graph.

A day's stocks are padded to the widest day's and masked; a step is told the number of its day, and gathers windows,
scaling and labels by itself. Nothing here asks which device it is on but `FixedStep`, which takes a graph on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu.stacked import StackedGRU, clip
from deepfactor.training.data import TrainingData
from deepfactor.training.samples import standardise
from deepfactor.training.scalings import last_close

_WARM = 3  # steps before a graph is taken, in which libraries choose their kernels
_EPSILON = 1e-8  # of the IC loss


class Day(NamedTuple):
    """What a step reads of a day, by its stocks: index (B,), level (B, g), weight of the label (B,), label (B,)."""

    stocks: Tensor
    level: Tensor
    weight: Tensor
    target: Tensor


@dataclass(frozen=True)
class Resident:
    """A market on a device.

    Attributes
    ----------
    values : (T, N, f) logs
    day : of each of `days` (D, …), see `Day`; stocks padded by the first one, of weight 0
    bounds : (D, 4, L, f) low, high, mean and inverse of the scaling `last_close`
    of : (f,) column of the level that a feature is relative to
    """

    values: Tensor
    days: Tensor
    day: Day
    bounds: Tensor
    of: Tensor
    window: int


def resident(data: TrainingData, days: Sequence[int], device: torch.device) -> Resident:
    """Put the `days` of `data`, and the rows that they read, on the device; statistics are the trainer's."""
    widest = max(len(data.stocks(t)) for t in days)
    rows: list[list[np.ndarray]] = []
    for t in days:
        stocks = data.stocks(t)
        windows = data.features.values[t + 1 - data.window : t + 1, stocks]
        scale = last_close.standard(last_close.Settings(), data.features, np.ascontiguousarray(windows))
        labelled = data.labelled(t, stocks)
        weight, target = np.zeros(widest, np.float32), np.zeros(widest, np.float32)
        weight[labelled] = 1.0
        target[labelled] = standardise(data.label[t, stocks[labelled]], "rank")
        level = np.zeros((widest, scale.level.shape[1]), np.float32)
        level[: len(stocks)] = scale.level
        index = np.full(widest, stocks[0], np.int64)
        index[: len(stocks)] = stocks
        rows.append([index, level, weight, target, np.stack([scale.low, scale.high, scale.mean, scale.inverse])])
    columns = [torch.from_numpy(np.stack(column)).to(device) for column in zip(*rows, strict=True)]
    of = torch.from_numpy(scale.of).to(device)
    values = torch.from_numpy(np.asarray(data.features.values)).to(device)
    return Resident(values, torch.tensor(list(days), device=device), Day(*columns[:4]), columns[4], of, data.window)


def batch(market: Resident, which: Tensor) -> tuple[Tensor, Day]:
    """Scaled windows (L, B, f) of day number `which` (a tensor of one, on the device), and the day."""
    day = Day(*(one.index_select(0, which).squeeze(0) for one in market.day))
    _, width, features = market.values.shape
    rows = market.days.index_select(0, which) - market.window + 1 + torch.arange(market.window, device=which.device)
    places = (rows[:, None] * width + day.stocks).flatten()
    windows = market.values.view(-1, features).index_select(0, places).view(market.window, -1, features)
    low, high, mean, inverse = market.bounds.index_select(0, which).squeeze(0).unsqueeze(2).unbind(0)  # (L, 1, f)
    x = torch.clamp(windows - day.level[:, market.of], low, high)
    return torch.nan_to_num((x - mean) * inverse), day


def ic_loss(scores: Tensor, day: Day) -> Tensor:
    """Minus the IC of each of (S, B) scores over the day's labelled stocks, summed over S: seeds share no weights."""
    count = day.weight.sum()
    p = (scores - (scores * day.weight).sum(1, keepdim=True) / count) * day.weight
    y = (day.target - (day.target * day.weight).sum() / count) * day.weight
    return -((p * y).sum(1) / (p.norm(dim=1) * y.norm() + _EPSILON)).sum()


class FixedStep:
    """Gradient steps of seeds of an arm at once; `graph`: as one CUDA graph, on a GPU alone."""

    def __init__(self, network: StackedGRU, market: Resident, lr: float, most: float, *, bf16: bool, graph: bool):
        self.network, self.market, self.most, self.bf16 = network, market, most, bf16
        device = market.values.device
        gpu = device.type == "cuda"
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr, capturable=gpu)
        self.which = torch.zeros(1, dtype=torch.long, device=device)
        self.loss = torch.zeros((), device=device)
        self._run: Callable[[], None] = self._captured() if graph and gpu else self._step

    def __call__(self, number: int) -> None:
        """A step on the day of that number; `loss` then has its loss, on the device."""
        self.which.fill_(number)
        self._run()

    def _step(self) -> None:
        windows, day = batch(self.market, self.which)
        with torch.autocast(self.which.device.type, torch.bfloat16, enabled=self.bf16):
            scores = self.network(windows)
        loss = ic_loss(scores.float(), day)
        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()  # type: ignore[no-untyped-call]
        clip(self.network, self.most)
        self.optimizer.step()
        self.loss.copy_(loss.detach())

    def _captured(self) -> Callable[[], None]:
        """The step as a graph; what the warm-up learnt is undone."""
        before = [p.detach().clone() for p in self.network.parameters()]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        with torch.no_grad():
            for p, old in zip(self.network.parameters(), before, strict=True):
                p.copy_(old)
                for moment in self.optimizer.state[p].values():
                    moment.zero_()
        return graph.replay


def networks(build: Callable[[], nn.Module], seeds: Sequence[int]) -> list[nn.Module]:
    """A fresh network of each seed."""
    made = []
    for seed in seeds:
        torch.manual_seed(seed)
        made.append(build())
    return made
