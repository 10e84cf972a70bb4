"""The compiled GRU alone against the core's peak of fused multiply-adds, by `fma_peak.c` in the same rounds."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.timing import Line, compare, interleave
from deepfactor.models import _kernels
from deepfactor.models._gru_op import TILE, recur
from deepfactor.training.fit import settled_torch

STEPS, HIDDEN = 50, 64
#: Behind another layer, and behind folded patches of three days of six features.
INPUTS = (64, 19)
ROUNDS = 9
_SOURCE = Path(__file__).with_name("fma_peak.c")


def measure() -> list[Line]:
    """Forward and backward, and inference, on one tile of stocks; nothing where there is no kernel or no compiler."""
    kernel = _kernels.choice().kernel
    compiler = shutil.which("cc")
    if kernel is None or compiler is None:
        return []
    with tempfile.TemporaryDirectory() as folder, settled_torch():
        library = Path(folder) / "fma_peak.so"
        subprocess.run([compiler, "-O3", "-fPIC", "-shared", _SOURCE, "-o", library], check=True)
        peak = ctypes.CDLL(str(library)).fma_peak
        peak.argtypes, peak.restype = [ctypes.c_char_p, ctypes.c_long], ctypes.c_double
        return [line for inputs in INPUTS for line in _measure(kernel.path, inputs, peak)]


def _measure(path: str, inputs: int, peak: Callable[[bytes, int], float]) -> list[Line]:
    torch.manual_seed(0)
    gru, x = nn.GRU(inputs, HIDDEN), torch.randn(STEPS, TILE, inputs)
    weights = tuple(gru.parameters())
    grad = torch.randn(TILE, HIDDEN)
    behind = inputs == HIDDEN  # the gradient of the input is wanted
    rounds = 20_000_000
    operations: list[float] = []

    def train() -> None:
        recur(x.requires_grad_(behind), weights, all_steps=False).backward(grad)

    def infer() -> Tensor:
        with torch.no_grad():
            return recur(x, weights, all_steps=False)

    def fma() -> None:
        operations.append(peak(path.encode(), rounds))

    times = interleave({"train": train, "infer": infer, "peak": fma}, ROUNDS)
    forward = 2.0 * STEPS * TILE * 3 * HIDDEN * (inputs + HIDDEN)
    back = 2.0 * STEPS * TILE * 3 * HIDDEN * ((2 if behind else 1) * inputs + 2 * HIDDEN)
    size = f"{TILE} stocks, {STEPS} steps, {inputs} to {HIDDEN}"
    lines = []
    for job, way, work in (("forward and backward", "train", forward + back), ("inference", "infer", forward)):
        floor = [seconds * work / operations[-1] for seconds in times["peak"]]
        wanted = "≥ 0.65" if way == "train" and behind else ""
        lines.append(
            compare(f"GRU kernel, {path}, {job}", size, times[way], "its products at the FMA peak", floor, wanted)
        )
    return lines
