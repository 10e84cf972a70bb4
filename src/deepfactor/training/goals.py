"""What each day's scores are trained towards."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deepfactor.core.arrays import Indices
from deepfactor.training.data import TrainingData
from deepfactor.training.device import to_device
from deepfactor.training.losses.base import Loss
from deepfactor.training.samples import standardise


@dataclass(frozen=True)
class Goal:
    """`columns` (m,) of a day's labelled stocks; on the device their `place` in the day's batch and their standardised
    labels."""

    columns: Indices
    place: Tensor
    target: Tensor


class Goals:
    """The goals of days under a loss; where they are to `keep`, each made once."""

    def __init__(self, data: TrainingData, loss: Loss, device: torch.device, *, keep: bool) -> None:
        self.data, self.device = data, device
        self._loss, self._keep = loss, keep
        self._made: dict[int, Goal] = {}

    def of(self, t: int) -> Goal:
        """Day t's."""
        goal = self._made.get(t)
        if goal is None:
            stocks = self.data.stocks(t)
            place, _ = self.data.trained(t, stocks)
            columns = stocks[place]
            target = standardise(self.data.label[t, columns], self._loss.part.target(self._loss.settings))
            goal = Goal(columns, to_device(place, self.device), to_device(target, self.device))
            if self._keep:
                self._made[t] = goal
        return goal

    def loss(self, t: int, scores: Tensor) -> Tensor:
        """Loss of day t's batch from its scores (b,)."""
        goal = self.of(t)
        return self.towards(goal, scores[goal.place])

    def towards(self, goal: Goal, prediction: Tensor) -> Tensor:
        """Loss of the goal's stocks from their scores (m,)."""
        return self._loss.part.loss(self._loss.settings, prediction, goal.target)
