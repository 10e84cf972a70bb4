"""Training on sequences: a causal network reads a long stretch of days once and gives a score at every patch.

A window of 150 days has one label at its end, and consecutive days' windows share 149 days: a patch is computed 50
times for as many labels. Here a step draws a last day, reads `burn_in` + `steps` patches that end on it, and the loss
is the mean of the losses of the days on which the last `steps` patches end. The last day is drawn over all days, so all
alignments of the patches are trained. Who is in the batch, and in which size group, is that of each step's own day.

Scores come from a running state an alignment (`Stream`): a further day costs one patch a stock.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from deepfactor.core.arrays import Indices, Ints
from deepfactor.core.errors import RecipeError
from deepfactor.models.base import Causal, CausalBeside, State
from deepfactor.training.arms import Arm, Stacked
from deepfactor.training.data import TrainingData
from deepfactor.training.device import to_device
from deepfactor.training.goals import Goals
from deepfactor.training.one_shape import OneShape, Recurrence, compares
from deepfactor.training.samples import Sampler
from deepfactor.training.spec import Fit

#: A network that sequences can train.
Recurrent = Causal | CausalBeside


def check_causal(built: nn.Module, arm: Arm, key: str) -> int:
    """The network reads time forwards alone, and its rows don't depend on the window that they are in; its patch.

    Raises
    ------
    RecipeError
        one of them isn't so, or a weighting stands behind the network.
    """
    if not isinstance(built, Causal | CausalBeside):
        raise RecipeError(
            f"{arm.scorer.named} does not read time forwards alone, so sequences can't train it: "
            'take fit.samples = "windows"',
            key=f"{key}.model",
        )
    if arm.scaling.part.SCALES != "rows":
        raise RecipeError(
            f"scaling {arm.scaling.kind} standardises whole windows; sequences need one that scales each day's rows: "
            'take scaling = "by_day"',
            key=f"{key}.scaling",
        )
    if isinstance(arm.scorer, Stacked):
        raise RecipeError(
            'a weighting behind a network reads the deep factors of windows: take fit.samples = "windows"',
            key=f"{key}.weighting",
        )
    return built.patch


def days_read(fit: Fit, patch: int) -> int:
    """Days of one sequence."""
    return (fit.burn_in + fit.steps) * patch


class Sequences:
    """Steps of sequence training of a causal `network` that reads `inputs`."""

    def __init__(
        self,
        network: Recurrent,
        inputs: frozenset[str],
        sampler: Sampler,
        fit: Fit,
        goals: Goals,
        shape: OneShape | None = None,
    ) -> None:
        """`shape`: the recurrence runs in one shape, whoever is in the batches."""
        self.network, self.inputs, self.sampler, self.fit = network, inputs, sampler, fit
        self.patch = network.patch
        self._goals = goals
        self._recur = shape or Recurrence(network, fit.steps)
        self._buffer = torch.empty(0, device=sampler.device)

    def draws(self, days: Indices, order: np.random.Generator) -> Indices:
        """Last days of an epoch's sequences, without repetition where there are enough."""
        updates = self.fit.updates or -(-len(days) // self.fit.steps)
        return order.choice(days, updates, replace=updates > len(days))

    def loss(self, last: int, among: frozenset[int]) -> Tensor:
        """Mean loss of the days `among` on which one of the last `steps` patches of the sequence to `last` ends."""
        data, network, count = self.sampler.data, self.network, self.fit.burn_in + self.fit.steps
        ends = [last - self.patch * back for back in range(count - 1, -1, -1)]
        asked = ends[-self.fit.steps :]
        columns = _union(data, ends if compares(network) else asked)
        place = np.full(len(data.symbols), -1, np.intp)
        place[columns] = np.arange(len(columns))
        ranks = to_device(ranks_at(data, ends, columns), self.sampler.device) if compares(network) else None
        made = self._recur(self._rows(last, columns), ranks)  # (steps, n), or (steps, n, d) for a head
        of_day = self._beside if isinstance(network, CausalBeside) else self._of_day
        return torch.stack([of_day(row, t, place) for row, t in zip(made, asked, strict=True) if t in among]).mean()

    def _of_day(self, scores: Tensor, t: int, place: Indices) -> Tensor:
        """Loss of day t from the scores (n,) of all stocks, which stand at `place`."""
        goal = self._goals.of(t)
        return self._goals.towards(goal, scores[to_device(place[goal.columns], scores.device)])

    def _beside(self, states: Tensor, t: int, place: Indices) -> Tensor:
        """Loss of day t from what is remembered (n, d) of all stocks: the head sees the day's batch."""
        assert isinstance(self.network, CausalBeside), "has a head"
        batch = to_device(place[self.sampler.data.stocks(t)], states.device)
        scores = self.network.score(states.index_select(0, batch), self.sampler.beside(t, self.inputs))
        return self._goals.loss(t, scores)

    def _rows(self, last: int, columns: Indices) -> Tensor:
        """Scaled rows of the sequence that ends on `last`; valid until the next call."""
        days, f = days_read(self.fit, self.patch), len(self.sampler.data.features.names)
        size = days * len(columns) * f
        if self._buffer.numel() < size:
            self._buffer = torch.empty(size, device=self.sampler.device)
        return self.sampler.fill(last + 1 - days, last + 1, columns, self._buffer[:size].view(days, len(columns), f))


def _union(data: TrainingData, days: list[int]) -> Indices:
    """Columns of all stocks that are in the batch of one of the `days`."""
    seen = np.zeros(len(data.symbols), np.bool_)
    for t in days:
        if t >= 0:
            seen[data.stocks(t)] = True
    return np.flatnonzero(seen)


def ranks_at(data: TrainingData, days: list[int], columns: Indices) -> Ints:
    """Rank by size of each of the `columns` in each day's batch, -1 = not in it: (p, n)."""
    out = np.full((len(days), len(data.symbols)), -1, np.int64)
    for row, t in zip(out, days, strict=True):
        if t >= 0:
            row[data.stocks(t)] = data.size_rank(t)
    return out[:, columns]


class Stream:
    """Scores of consecutive days by a causal network that goes on from what it remembers, an alignment of the patches
    each.

    It begins a window's length before the first day of its span, so that day's score is that of its window; later days
    remember more. So a day's score doesn't depend on which days are asked for, nor, by the compiled kernel, to the last
    bit on where the span ends. For one set of weights: `forget` when they change. `stream_state` keeps it on disk.
    """

    def __init__(self, network: Recurrent, sampler: Sampler, span: range, inputs: frozenset[str] = frozenset()) -> None:
        """`span`: the days that may be asked for; `inputs`: what the network reads."""
        self.network, self.sampler, self.first = network, sampler, span.start + 1 - sampler.data.window
        self.inputs = inputs
        self.columns = _union(sampler.data, list(range(span.start + 1 - sampler.data.window, span.stop)))
        self.place = np.full(len(sampler.data.symbols), -1, np.intp)
        self.place[self.columns] = np.arange(len(self.columns))
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.states: dict[int, State] = {}
        self.last = self.first + self.network.patch - 2

    def scores(self, t: int) -> Tensor:
        """Scores (b,) of day t's batch ``data.stocks(t)``; call under `torch.inference_mode`."""
        if t <= self.last:
            self.forget()
        self.take_in(t - 1)
        made, self.last = self._advance(t), t
        of_batch = made[to_device(self.place[self.sampler.data.stocks(t)], made.device)]
        if isinstance(self.network, CausalBeside):
            return self.network.score(of_batch, self.sampler.beside(t, self.inputs))
        return of_batch

    def take_in(self, last: int) -> None:
        """Take in the patches that end on the days up to `last`."""
        for day in range(self.last + 1, last + 1):
            self._advance(day)
        self.last = max(self.last, last)

    def of(self, columns: Indices) -> Stream:
        """A stream of these stocks by themselves, to take in the same days from the same first on."""
        other = copy.copy(self)
        other.columns = columns
        other.forget()
        return other

    def _advance(self, day: int) -> Tensor:
        """Take in the patch that ends on `day`; of all columns the scores (n,), or what a head reads (n, d)."""
        network, rows = self.network, self._rows(day)
        alignment = day % network.patch
        before = self.states.get(alignment)
        if isinstance(network, CausalBeside):
            made = network.remember(None if before is None else before[0], rows)
            self.states[alignment] = (made,)
            return made
        rank = to_device(ranks_at(self.sampler.data, [day], self.columns)[0], rows.device) if network.compares else None
        self.states[alignment], scores = network.advance(before, rows, rank)
        return scores

    def _rows(self, day: int) -> Tensor:
        """(memory + patch, n, f); before the stream's first day that day's rows are repeated."""
        wanted = self.network.memory + self.network.patch
        begin = max(day + 1 - wanted, self.first)
        rows = torch.empty(day + 1 - begin, len(self.columns), len(self.sampler.data.features.names))
        rows = self.sampler.fill(begin, day + 1, self.columns, rows.to(self.sampler.device))
        return torch.cat([rows[:1].expand(wanted - len(rows), -1, -1), rows]) if len(rows) < wanted else rows
