"""``python -m benchmarks.gpu``: on a GPU, what a step of the trainer costs kernel by kernel and as a graph, in float32
and bf16, on windows and on sequences; of eight seeds in eight processes, and stacked as one network; and how far the
numbers are from the processor's. Writes ``benchmarks/RESULTS-gpu.md``. ``--dry`` does all of it small, on whatever is
there, and writes nothing. Under eight minutes on the device, most of them the processor's side of the comparison.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.gpu.plan import roof
from benchmarks.gpu.shared import shared
from benchmarks.gpu.stacked import StackedStep
from benchmarks.gpu.ways import Size, Way, all_ways, market, timed
from deepfactor.core.files import write_text
from deepfactor.training.fit import settled_torch
from deepfactor.training.samples import Sampler


@dataclass(frozen=True)
class Speed:
    """Wall milliseconds of a step, and of one seed's share of it."""

    way: str
    step_ms: float
    seed_ms: float


@dataclass(frozen=True)
class Apart:
    """Differences from the processor: of a day's scores (largest), one step's loss, its gradients (by the largest)."""

    way: str
    scores: float
    loss: float
    gradients: float


def apart(way: Way, size: Size, device: torch.device, folder: Path) -> Apart:
    """One day's scores and one step on the device, against the processor's own way."""
    data, days = market(size.compared, 2)
    here = Way(way.model, way.samples, way.precision, graph=False).fitter(data, days, torch.device("cpu"), folder)
    there = way.fitter(data, days, device, folder)
    scores = [fitter.scorer.scores(days[-1])[1] for fitter in (here, there)]
    loss = [fitter.step(np.array(days[-1:]), 1) for fitter in (here, there)]
    grads = [[p.grad.cpu() for p in fitter.network.parameters() if p.grad is not None] for fitter in (here, there)]
    largest = max(float(one.abs().max()) for one in grads[0])
    furthest = max(float((a - b).abs().max()) for a, b in zip(*grads, strict=True))
    return Apart(str(way), float(np.abs(scores[0] - scores[1]).max()), abs(loss[0] - loss[1]), furthest / largest)


def speeds(size: Size, device: torch.device, folder: Path) -> list[Speed]:
    """Of every way, then of several seeds."""
    data, days = market(size.stocks, size.days)
    found = []
    for way in all_ways():
        fitter = way.fitter(data, days, device, folder)
        each = timed(lambda t, own=fitter: own.queue(np.array([t])), size, days, device, lambda: None)  # type: ignore[misc]
        found.append(Speed(str(way), each, each))
    for way in (Way("gru", "windows"), Way("gru", "windows", "bf16")):
        each = shared(way, size, device, size.processes)
        found.append(Speed(f"{way}, processes: {size.processes}", each, each / size.processes))
    for bf16, name in ((False, "float32"), (True, "bf16")):
        stacked = StackedStep(Sampler(data, device=device), size.seeds, len(data.symbols), bf16=bf16)
        each = timed(stacked, size, days, device, lambda: None)
        found.append(Speed(f"gru on windows, {name}, {size.seeds} seeds stacked", each, each / size.seeds))
    return found


def page(differences: list[Apart], found: list[Speed]) -> str:
    """What is written."""
    half, full = roof(), roof(bf16=False)
    return "\n".join(
        [
            f"# A step on a GPU\n\nWritten by `python -m benchmarks.gpu` on {torch.cuda.get_device_name()}, torch "
            f"{torch.__version__}; do not edit.\n",
            "| a step at 5,000 stocks | ms | a seed's share |\n| --- | ---: | ---: |",
            *(f"| {one.way} | {one.step_ms:.2f} | {one.seed_ms:.2f} |" for one in found),
            f"\nBy the data sheet of an H200 a seed's share of eight is at least {half.seed(8):.2f} ms in bf16 and "
            f"{full.seed(8):.2f} ms in float32.\n",
            "| from the processor's | scores | loss | gradients |\n| --- | ---: | ---: | ---: |",
            *(f"| {one.way} | {one.scores:.1e} | {one.loss:.1e} | {one.gradients:.1e} |" for one in differences),
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
    size = Size(40, 2, 1, 2, 40, 1) if dry else Size()
    with settled_torch(), tempfile.TemporaryDirectory() as folder:
        differences = [apart(way, size, device, Path(folder)) for way in all_ways()]
        found = speeds(size, device, Path(folder))
    if dry:
        print(json.dumps({"device": device.type, "apart": differences, "speed": found}, default=asdict))
        return
    write_text(Path(__file__).parents[1] / "RESULTS-gpu.md", page(differences, found))


if __name__ == "__main__":
    main()
