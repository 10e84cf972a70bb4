"""The one loop over epochs: a step a day or few, early stopping on the validation RankIC, exact resume from an epoch.

Every source of randomness starts anew at each epoch from (seed, fold, arm, epoch); so a checkpoint needs no generator's
state, and an interrupted fit goes on bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from deepfactor.core.arrays import Indices
from deepfactor.core.errors import DamagedFile, UserError
from deepfactor.cross_section.correlation import spearman
from deepfactor.models.base import Causal, CausalBeside
from deepfactor.training.adam import Adam
from deepfactor.training.device import float32_throughout, is_host, steps_ahead, takes_graphs
from deepfactor.training.goals import Goals
from deepfactor.training.losses.base import Loss
from deepfactor.training.one_shape import OneShape, Recurrence, can_pad, widest
from deepfactor.training.plan import Fold
from deepfactor.training.records import CheckpointNote, EpochRecord
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import Scaling
from deepfactor.training.scorer import Scorer
from deepfactor.training.selection import Select, top_excess
from deepfactor.training.sequences import Sequences, days_read
from deepfactor.training.spec import Fit
from deepfactor.training.weights import (
    State,
    WeightAverage,
    copy_of,
    flatten,
    load_tensors,
    part,
    save_tensors,
)
from deepfactor.training.windows import Windows

#: (epoch, step, steps, mean loss of the epoch so far, validation RankIC or None before it is known)
Report = Callable[[int, int, int, float, float | None], None]


@dataclass(frozen=True)
class Task:
    """What is fitted, on which rows, and the entropy of its random numbers.

    `scaling` None = `last_close`; `split`: days of the average that raw rows are split by before it, 1 = none.
    """

    model: nn.Module
    inputs: frozenset[str]
    loss: Loss
    fold: Fold
    fit: Fit
    every: int
    valid_every: int
    entropy: tuple[int, ...]
    scaling: Scaling | None = None
    split: int = 1
    select: Select = "rank_ic"


@dataclass
class Course:
    """How far a fit has come. `log` has a row an epoch; `best_epoch` 0 = none yet."""

    log: list[EpochRecord] = field(default_factory=list)
    best: State = field(default_factory=dict)
    best_epoch: int = 0
    best_rank_ic: float = -np.inf
    best_top: float | None = None

    def is_over(self, fit: Fit) -> bool:
        """All epochs done, or no better one within the patience."""
        epochs = len(self.log)
        return epochs >= fit.epochs or epochs - self.best_epoch >= fit.patience


@contextmanager
def settled_torch() -> Iterator[None]:
    """One thread, which on a CPU makes torch's sums deterministic, denormals as zero, float32 on a GPU, too; undone
    afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with float32_throughout():
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def seed_torch(entropy: tuple[int, ...], epoch: int) -> np.random.Generator:
    """Seed torch for an epoch (0 = initial weights) and give numpy's generator for its order of days."""
    sequence = np.random.SeedSequence(entropy, spawn_key=(epoch,))
    torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]))
    return np.random.default_rng(sequence.spawn(1)[0])


class Fitter:
    """Fits one `Task`. Use: ``Fitter(task, sampler, checkpoint).run(report)``; `scorer` then has the best weights."""

    def __init__(self, task: Task, sampler: Sampler, checkpoint: Path, *, one_shape: bool | None = None) -> None:
        """`one_shape`: whether all steps have one, where the network can (`one_shape.can_pad`); None = as the device
        wants it."""
        self.task, self.checkpoint = task, checkpoint
        self.sampler = (sampler if task.scaling is None else sampler.scaled(task.scaling)).split(task.split)
        device = self.sampler.device
        self.network = task.model.to(device)
        self.optimizer = Adam(self.network.parameters(), task.fit.lr)
        self.average = WeightAverage(task.fit.weight_average) if task.fit.weight_average is not None else None
        self.ahead = steps_ahead(device)
        streams = task.fit.samples == "sequences"
        wanted = takes_graphs(device) if one_shape is None else one_shape
        self.shape = self._one_shape() if wanted and can_pad(self.network) else None
        # a sequence has many days' goals, a window one, which a processor makes in no time
        goals = Goals(self.sampler.data, task.loss, device, keep=streams or not is_host(device))
        self.windows = Windows(self.network, task.inputs, self.sampler, goals, self.shape)
        self.sequences = self._sequences(goals) if streams else None
        self.scorer = Scorer(self.network, task.inputs, self.sampler, task.fold.valid, streams=streams)
        self.course = Course()

    def _one_shape(self) -> OneShape:
        """The recurrence in the shape of the fold's widest step."""
        network, data, fit, train = self.network, self.sampler.data, self.task.fit, self.task.fold.train
        assert isinstance(network, Causal | CausalBeside), "can be padded"
        sequences = fit.samples == "sequences"
        recurrence = Recurrence(network, fit.steps if sequences else 1)
        days = days_read(fit, network.patch) if sequences else data.window
        width = widest(data, train, days if sequences else 1)
        return OneShape(recurrence, days, width, len(data.features.names), self.sampler.device)

    def _sequences(self, goals: Goals) -> Sequences:
        assert isinstance(self.network, Causal | CausalBeside), "planned with a network that is not causal"
        return Sequences(self.network, self.task.inputs, self.sampler, self.task.fit, goals, self.shape)

    def run(self, report: Report) -> Course:
        """Train to the end, from the checkpoint if there is one; leaves the best weights in `scorer`."""
        if self.checkpoint.exists():
            self._restore()
        while not self.course.is_over(self.task.fit):
            self._epoch(len(self.course.log) + 1, report)
            self._save()
        self.scorer.load(self.course.best)
        return self.course

    def _epoch(self, epoch: int, report: Report) -> None:
        """One pass over the epoch's days, then validation; appends to the course."""
        wall, cpu = time.perf_counter(), time.process_time()
        order = seed_torch(self.task.entropy, epoch)
        steps = self._steps(epoch, order)
        self.network.train()
        total = 0.0
        for first in range(0, len(steps), self.ahead):
            some = steps[first : first + self.ahead]
            queued = [self.queue(days) for days in some]
            for step, (days, losses) in enumerate(zip(some, queued, strict=True), start=first + 1):
                total += self._mean(days, losses, epoch)
                report(epoch, step, len(steps), total / step, None)
        rank_ic_, top = self._validate()
        by_top = self.task.select == "top"
        before = self.course.best_top if by_top else self.course.best_rank_ic
        if before is None or (top if by_top else rank_ic_) > before:
            self.course.best_epoch, self.course.best_rank_ic, self.course.best_top = epoch, rank_ic_, top
            self.course.best = copy_of(self.scorer.network.state_dict())
        self.course.log.append(
            {
                "epoch": epoch,
                "loss": total / len(steps),
                "valid_rank_ic": rank_ic_,
                "valid_top": top,
                "steps": len(steps),
                "seconds": round(time.perf_counter() - wall, 3),
                "cpu": round(time.process_time() - cpu, 3),
            }
        )
        report(epoch, len(steps), len(steps), total / len(steps), rank_ic_)

    def _steps(self, epoch: int, order: np.random.Generator) -> list[Indices]:
        """Days of each gradient step of an epoch: of windows, or last days of sequences."""
        if self.sequences is not None:
            days = self.sequences.draws(np.array(sorted(self._train), np.intp), order)
            return [days[i : i + 1] for i in range(len(days))]
        offset = (epoch - 1) % self.task.every
        days = order.permutation(self._days(self.task.fold.train, self.task.every, offset, "training"))
        size = self.task.fit.days_per_step
        return [days[i : i + size] for i in range(0, len(days), size)]

    def step(self, days: Indices, epoch: int) -> float:
        """One gradient step on the mean loss of `days`; that loss."""
        return self._mean(days, self.queue(days), epoch)

    def queue(self, days: Indices) -> Tensor:
        """One gradient step on the mean loss of `days`, not waited for; their losses (n,), on the device."""
        self.network.zero_grad(set_to_none=self.shape is None)
        losses = []
        for t in days:
            loss = self.windows.loss(int(t)) if self.sequences is None else self.sequences.loss(int(t), self._train)
            losses.append(loss.detach())
            (loss / len(days) if len(days) > 1 else loss).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.task.fit.clip)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.network)
        return torch.stack(losses)

    def _mean(self, days: Indices, losses: Tensor, epoch: int) -> float:
        """Mean of the losses of `days`, or of the sequences that end on them."""
        data, mean = self.sampler.data, 0.0
        for t, value in zip(days, losses.tolist(), strict=True):
            if not np.isfinite(value):
                labelled = len(data.labelled(t, data.stocks(t)))
                raise UserError(
                    f"the loss became {value} in epoch {epoch} on {data.dates[t]} ({labelled} labelled stocks): "
                    f"lower fit.lr (now {self.task.fit.lr}) or look at that day's label"
                )
            mean += value / len(days)
        return mean

    @cached_property
    def _train(self) -> frozenset[int]:
        """Training days with enough labelled stocks."""
        return frozenset(self._days(self.task.fold.train, 1, 0, "training").tolist())

    def _validate(self) -> tuple[float, float]:
        """Means over the validation days, by the current weights (or their average): RankIC with the label, and how far
        the labels of the best scores lie above all."""
        self.scorer.load(self.network.state_dict() if self.average is None else self.average.state)
        data, values, tops = self.sampler.data, [], []
        for t in self._days(self.task.fold.valid, self.task.valid_every, 0, "validation"):
            stocks, score = self.scorer.scores(int(t))
            labelled = data.labelled(int(t), stocks)
            label = data.label[t, stocks[labelled]]
            values.append(spearman(score[labelled], label))
            tops.append(top_excess(score[labelled], label))
        return float(np.mean(values)), float(np.mean(tops))

    def _days(self, span: range, every: int, offset: int, name: str) -> Indices:
        """Every n-th row of `span` from `offset` on that has enough labelled stocks.

        Raises
        ------
        UserError
            none has.
        """
        data, least = self.sampler.data, self.task.fit.min_stocks
        weighed = name == "training"
        days = [t for t in span[offset::every] if len(data.trained(t, data.stocks(t), weighed=weighed)[0]) >= least]
        if not days:
            raise UserError(
                f"fold {self.task.fold.name}: no {name} day of {data.dates[span.start]} to {data.dates[span.stop - 1]} "
                f"(every {every}) has fit.min_stocks = {least} labelled stocks"
            )
        return np.array(days, np.intp)

    def _save(self) -> None:
        groups = {
            "net": self.network.state_dict(),
            "best": self.course.best,
            "adam": self.optimizer.tensors(),
            "average": self.average.state if self.average is not None else {},
        }
        note: CheckpointNote = {
            "log": self.course.log,
            "best_epoch": self.course.best_epoch,
            "best_rank_ic": self.course.best_rank_ic,
            "average_steps": self.average.steps if self.average is not None else 0,
        }
        if self.course.best_top is not None:
            note["best_top"] = self.course.best_top
        save_tensors(self.checkpoint, flatten(groups), note)

    def _restore(self) -> None:
        """Go on from the checkpoint; a `DamagedFile` where it isn't one of this task."""
        note: CheckpointNote
        tensors, note = load_tensors(self.checkpoint)
        try:
            self.network.load_state_dict(part(tensors, "net"))
            self.optimizer.restore(part(tensors, "adam"))
            if self.average is not None:
                average = {name: value.to(self.sampler.device) for name, value in part(tensors, "average").items()}
                self.average.state, self.average.steps = average, note["average_steps"]
            best = (note["best_epoch"], note["best_rank_ic"], note.get("best_top"))
            self.course = Course(note["log"], part(tensors, "best"), *best)
        except (RuntimeError, ValueError, LookupError, TypeError) as error:
            raise DamagedFile(f"is no checkpoint of this job ({error})", file=self.checkpoint) from None
