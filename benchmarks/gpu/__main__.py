"""``python -m benchmarks.gpu``: on a GPU, what a step of the trainer costs in each day's own shape and as a graph, in
float32 and bf16, on windows and on sequences, and with seeds stacked; how far its numbers are from the processor's.
Writes ``benchmarks/RESULTS-gpu.md``. ``--dry`` does all of it small, on whatever is there, and writes nothing.

On the device it takes minutes, most of them the processor's side of the comparison: give it ``timeout 480``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from benchmarks.gpu.plan import roof
from benchmarks.gpu.stacked import StackedStep
from benchmarks.trainer import NAMES, random_data
from deepfactor.core.files import write_text
from deepfactor.models import decomp_gru, gru
from deepfactor.models.base import Shapes
from deepfactor.training.data import TrainingData
from deepfactor.training.fit import Fitter, Task, settled_torch
from deepfactor.training.losses.base import ROOM as LOSSES
from deepfactor.training.plan import Fold
from deepfactor.training.samples import Sampler
from deepfactor.training.scalings.base import ROOM as SCALINGS
from deepfactor.training.spec import Fit

MODELS = {"gru": gru, "decomp_gru": decomp_gru}
SCALING = {"windows": "last_close", "sequences": "by_day"}
Precision = Literal["float32", "bf16"]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    stocks: int = 5000
    days: int = 64
    steps: int = 200
    seeds: int = 8
    compared: int = 500


@dataclass(frozen=True)
class Speed:
    """Wall milliseconds of a step, and of one seed's share of it."""

    way: str
    step_ms: float
    seed_ms: float


@dataclass(frozen=True)
class Apart:
    """Largest differences from the processor after one step: loss, scores of a day, gradients by the largest one."""

    way: str
    loss: float
    scores: float
    gradients: float


@dataclass(frozen=True)
class Way:
    """How a step is taken."""

    model: str
    samples: Literal["windows", "sequences"]
    precision: Precision = "float32"
    graph: bool = True

    def __str__(self) -> str:
        return (
            f"{self.model} on {self.samples}, {'one shape, a graph' if self.graph else 'own shapes'}, {self.precision}"
        )

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


WAYS = [
    way
    for model in MODELS
    for samples in ("windows", "sequences")
    for way in (
        Way(model, samples, graph=False),  # type: ignore[arg-type]
        Way(model, samples),  # type: ignore[arg-type]
        Way(model, samples, "bf16"),  # type: ignore[arg-type]
    )
]


def market(stocks: int, days: int) -> tuple[TrainingData, range]:
    """Random data and its training days."""
    return random_data(stocks, days=150 + days), range(149, 149 + days)


def apart(way: Way, size: Size, device: torch.device, folder: Path) -> Apart:
    """One step and one day's scores on the device, against the processor's own way."""
    data, days = market(size.compared, 2)
    here = Way(way.model, way.samples, way.precision, graph=False).fitter(data, days, torch.device("cpu"), folder)
    there = way.fitter(data, days, device, folder)
    scores = [fitter.scorer.scores(days[-1])[1] for fitter in (here, there)]
    loss = [fitter.step(np.array(days[-1:]), 1) for fitter in (here, there)]
    grads = [[p.grad.cpu() for p in fitter.network.parameters() if p.grad is not None] for fitter in (here, there)]
    largest = max(float(one.abs().max()) for one in grads[0])
    return Apart(
        str(way),
        abs(loss[0] - loss[1]),
        float(np.abs(scores[0] - scores[1]).max()),
        max(float((a - b).abs().max()) for a, b in zip(*grads, strict=True)) / largest,
    )


def timed(take: Callable[[int], object], size: Size, days: range, device: torch.device) -> float:
    """Milliseconds of a step, one queued after the other; each day once before, which computes its statistics."""
    wait: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for t in days:
        take(t)
    wait()
    begin = time.perf_counter()
    for number in range(size.steps):
        take(days[number % len(days)])
    wait()
    return 1e3 * (time.perf_counter() - begin) / size.steps


def measure(size: Size, device: torch.device) -> tuple[list[Apart], list[Speed]]:
    """All of it."""
    with settled_torch(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        differences = [apart(way, size, device, folder) for way in WAYS]
        data, days = market(size.stocks, size.days)
        speeds = []
        for way in WAYS:
            fitter = way.fitter(data, days, device, folder)
            each = timed(lambda t, fitter=fitter: fitter.queue(np.array([t])), size, days, device)  # type: ignore[misc]
            speeds.append(Speed(str(way), each, each))
        stacked = StackedStep(Sampler(data, device=device), size.seeds, len(data.symbols))
        each = timed(stacked, size, days, device)
        return differences, [*speeds, Speed(f"gru on windows, {size.seeds} seeds stacked", each, each / size.seeds)]


def page(differences: list[Apart], speeds: list[Speed]) -> str:
    """What is written."""
    least = roof()
    return "\n".join(
        [
            f"# A step on a GPU\n\nWritten by `python -m benchmarks.gpu` on {torch.cuda.get_device_name()}, torch "
            f"{torch.__version__}; do not edit.\n",
            "| a step at 5,000 stocks | ms | a seed's share |\n| --- | ---: | ---: |",
            *(f"| {one.way} | {one.step_ms:.2f} | {one.seed_ms:.2f} |" for one in speeds),
            f"\n`gru` on windows by the data sheet: memory {least.memory:.2f} ms in bf16, kernels of torch operations "
            f"{least.launches_graph:.1f} ms in a graph, {least.launches_eager:.1f} ms one by one.\n",
            "| after one step, from the processor's | loss | scores | gradients, by the largest |\n"
            "| --- | ---: | ---: | ---: |",
            *(f"| {one.way} | {one.loss:.1e} | {one.scores:.1e} | {one.gradients:.1e} |" for one in differences),
            "",
        ]
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--dry", action="store_true", help="small, on whatever is there; writes nothing")
    dry = parser.parse_args().dry
    if not dry and not torch.cuda.is_available():
        raise SystemExit("no GPU here: --dry does all of it small on the processor")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    differences, speeds = measure(Size(40, 2, 1, 2, 40) if dry else Size(), device)
    if dry:
        said = {"device": device.type, "apart": differences, "speed": speeds}
        print(json.dumps(said, default=asdict))
        return
    write_text(Path(__file__).parents[1] / "RESULTS-gpu.md", page(differences, speeds))


if __name__ == "__main__":
    main()
