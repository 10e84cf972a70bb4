"""A step of the real trainer against the bare one: what gather, scaling, labels, weight average and progress cost."""

from __future__ import annotations

import copy
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.timing import Line, compare, interleave
from deepfactor.features.base import Features
from deepfactor.models import decomp_gru, gru
from deepfactor.models.base import CrossSection, Shapes
from deepfactor.training.data import TrainingData
from deepfactor.training.fit import Fitter, Task, settled_torch
from deepfactor.training.losses import ic
from deepfactor.training.losses.base import ROOM as LOSSES
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler
from deepfactor.training.spec import Fit

STOCKS, WINDOW, DAYS, EPOCHS = 3000, 150, 8, 3
NAMES = ("open", "high", "low", "close", "vwap", "volume")


def random_data(stocks: int = STOCKS, days: int = WINDOW + DAYS + 2) -> TrainingData:
    """Random walks of which 2 % is missing; all stocks are in every batch."""
    rng = np.random.default_rng(0)
    shape = (days, stocks)
    close = 2 + 0.02 * rng.standard_normal(shape).cumsum(axis=0)
    values = close[..., None] + 0.01 * rng.standard_normal((*shape, len(NAMES)))
    values[..., 5] = 12 + rng.standard_normal(shape)
    missing = rng.random(shape) < 0.02
    missing[WINDOW - 1 :] = False
    values[missing] = np.nan
    everyone = np.ones(shape, bool)
    return TrainingData(
        dates=np.datetime64("2020-01-01") + np.arange(days),
        symbols=np.array([f"{600000 + i}.SH" for i in range(stocks)]),
        features=Features(NAMES, (*("price",) * 5, "volume"), values.astype(np.float32)),
        label=rng.standard_normal(shape),
        eligible=everyone,
        size=rng.standard_normal(shape),
        entry_ok=everyone,
        window=WINDOW,
    )


class BareStep:
    """Forward, backward, clipping and Adam on one batch that is there already."""

    def __init__(self, network: nn.Module, batch: CrossSection, target: torch.Tensor, fit: Fit) -> None:
        self.network, self.batch, self.target, self.fit = network, batch, target, fit
        self.optimizer = torch.optim.Adam(network.parameters(), lr=fit.lr)

    def __call__(self) -> None:
        loss = ic.loss(ic.Settings(), self.network(self.batch), self.target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.fit.clip)
        self.optimizer.step()


@dataclass
class Stopwatch:
    """Listens to the trainer: the CPU time between two of its reports is a step; after each, a bare step is timed."""

    bare: BareStep
    steps: list[tuple[int, float, float]] = field(default_factory=list)  # epoch, trainer, bare
    last: float = 0.0

    def __call__(self, epoch: int, step: int, steps: int, loss: float, rank_ic: float | None) -> None:
        now = time.process_time()
        trainer = now - self.last
        if rank_ic is None and step > 1:  # the first step also lists the epoch's days
            self.bare()
            self.steps.append((epoch, trainer, time.process_time() - now))
        self.last = time.process_time()


def measure() -> list[Line]:
    """The trainer's steps of the first epoch, which computes each day's statistics, and of later ones; gathering."""
    data = random_data()
    with settled_torch(), tempfile.TemporaryDirectory() as folder:
        lines = [line for name in ("gru", "decomp_gru") for line in _trainer(name, data, Path(folder))]
        return lines + _gather(data)


def _trainer(name: str, data: TrainingData, folder: Path) -> list[Line]:
    kind = {"gru": gru, "decomp_gru": decomp_gru}[name]
    torch.manual_seed(0)
    network = kind.build(kind.Settings(), Shapes(len(NAMES), data.window))
    fit = Fit(epochs=EPOCHS, seeds=(0,), weight_average=0.004)
    first = data.window - 1
    fold = Fold("bench", range(first, first + DAYS), range(first + DAYS, first + DAYS + 1), range(0))
    batch = _copy(Sampler(data).cross_section(first, kind.INPUTS))
    bare = BareStep(copy.deepcopy(network), batch, torch.randn(batch.windows.shape[1]), fit)
    task = Task(network, kind.INPUTS, LOSSES.choose("ic"), fold, fit, 1, 1, (0,))
    watch = Stopwatch(bare)
    bare()  # warm
    Fitter(task, Sampler(data), folder / f"{name}.safetensors").run(watch)
    lines = []
    for what, epochs in (("first epoch", {1}), ("later epochs", set(range(2, EPOCHS + 1)))):
        trainer = [t for epoch, t, _ in watch.steps if epoch in epochs]
        plain = [b for epoch, _, b in watch.steps if epoch in epochs]
        target = "≥ 0.95" if what == "later epochs" else ""
        lines.append(
            compare(f"{name}, trainer's step, {what}", f"{STOCKS} stocks", trainer, "bare step", plain, target)
        )
    return lines


def _gather(data: TrainingData) -> list[Line]:
    """A day's batch when its statistics are known, against computing them too."""
    sampler, day = Sampler(data), data.window - 1
    known = lambda: sampler.cross_section(day, gru.INPUTS)  # noqa: E731
    fresh = lambda: Sampler(data).cross_section(day, gru.INPUTS)  # noqa: E731
    times = interleave({"known": known, "fresh": fresh}, 7)
    what = "with the day's statistics computed"
    return [compare("gather and scale a day", f"{STOCKS} stocks", times["known"], what, times["fresh"])]


def _copy(batch: CrossSection) -> CrossSection:
    """One that the sampler's next batch doesn't overwrite."""
    return CrossSection(batch.windows.clone(), batch.inputs)
