"""What is measured on a GPU: steps of the trainer, each way that it can take them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from benchmarks.trainer import NAMES, random_data
from deepfactor.models import decomp_gru, gru
from deepfactor.models.base import Shapes
from deepfactor.training.data import TrainingData
from deepfactor.training.fit import Fitter, Task
from deepfactor.training.losses.base import ROOM as LOSSES
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import ROOM as SCALINGS
from deepfactor.training.spec import Fit

MODELS = {"gru": gru, "decomp_gru": decomp_gru}
SCALING = {"windows": "last_close", "sequences": "by_day"}
Samples = Literal["windows", "sequences"]
Precision = Literal["float32", "bf16"]


@dataclass(frozen=True)
class Size:
    """How much is measured; `compared`: stocks of the comparison with the processor; `processes` at once."""

    stocks: int = 5000
    days: int = 64
    steps: int = 200
    seeds: int = 8
    compared: int = 500
    processes: int = 8


@dataclass(frozen=True)
class Way:
    """How a step is taken."""

    model: str
    samples: Samples
    precision: Precision = "float32"
    graph: bool = True

    def __str__(self) -> str:
        return f"{self.model} on {self.samples}, {self.precision}, {'a graph' if self.graph else 'kernel by kernel'}"

    def fitter(self, data: TrainingData, days: range, device: torch.device, folder: Path) -> Fitter:
        """A fresh one on `device`."""
        kind = MODELS[self.model]
        torch.manual_seed(0)
        network = kind.build(kind.Settings(precision=self.precision), Shapes(len(NAMES), data.window))
        fold = Fold("bench", days, range(days[-1], days[-1] + 1), range(0))
        fit = Fit(seeds=(0,), samples=self.samples)
        scaling = SCALINGS.choose(SCALING[self.samples])
        task = Task(network, kind.INPUTS, LOSSES.choose("ic"), fold, fit, 1, 1, (0,), scaling)
        return Fitter(task, Sampler(data, device=device), folder / "none", one_shape=self.graph)


def all_ways() -> list[Way]:
    """Of each model and kind of samples: float32 without and with a graph, bf16."""
    both: tuple[Samples, ...] = ("windows", "sequences")
    return [
        way
        for model in MODELS
        for samples in both
        for way in (Way(model, samples, graph=False), Way(model, samples), Way(model, samples, "bf16"))
    ]


def market(stocks: int, days: int) -> tuple[TrainingData, range]:
    """Random data and its training days."""
    return random_data(stocks, days=150 + days), range(149, 149 + days)


def timed(
    take: Callable[[int], object], size: Size, days: range, device: torch.device, begin: Callable[[], object]
) -> float:
    """Wall milliseconds of a step, one queued after the other; each day once before, which computes its statistics,
    then `begin`."""
    wait: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for t in days:
        take(t)
    wait()
    begin()
    start = time.perf_counter()
    for number in range(size.steps):
        take(days[number % len(days)])
    wait()
    return 1e3 * (time.perf_counter() - start) / size.steps
