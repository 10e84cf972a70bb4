"""The compiled GRU alone against the core's peak of fused multiply-adds in the same rounds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.fma_peak import Peak, fma_peak
from benchmarks.timing import Line, compare, interleave
from deepfactor.models._fast.gru import TILE, fitting, recur
from deepfactor.training.fit import settled_torch

STEPS, HIDDEN = 50, 64
#: Behind another layer, and behind folded patches of three days of six features.
INPUTS = (64, 19)
ROUNDS = 9


def measure() -> list[Line]:
    """Forward and backward, and inference, on one tile of stocks; nothing where there is no kernel or no compiler."""
    with fma_peak() as peak, settled_torch():
        return [] if peak is None else [line for inputs in INPUTS for line in _measure(inputs, peak)]


def _measure(inputs: int, peak: Peak) -> list[Line]:
    torch.manual_seed(0)
    gru, x = nn.GRU(inputs, HIDDEN), torch.randn(STEPS, TILE, inputs)
    weights, kernel = tuple(gru.parameters()), fitting(x, HIDDEN)
    assert kernel is not None, "the peak is asked for where a kernel is"
    grad = torch.randn(TILE, HIDDEN)
    behind = inputs == HIDDEN  # the gradient of the input is wanted

    def train() -> None:
        recur(kernel, x.requires_grad_(behind), weights).backward(grad)

    def infer() -> Tensor:
        with torch.no_grad():
            return recur(kernel, x, weights)

    times = interleave({"train": train, "infer": infer, "peak": peak}, ROUNDS)
    forward = 2.0 * STEPS * TILE * 3 * HIDDEN * (inputs + HIDDEN)
    back = 2.0 * STEPS * TILE * 3 * HIDDEN * ((2 if behind else 1) * inputs + 2 * HIDDEN)
    size = f"{TILE} stocks, {STEPS} steps, {inputs} to {HIDDEN}"
    lines = []
    for job, way, work in (("forward and backward", "train", forward + back), ("inference", "infer", forward)):
        floor = peak.floor(times["peak"], work)
        wanted = "≥ 0.65" if way == "train" and behind else ""
        lines.append(
            compare(f"GRU kernel, {peak.path}, {job}", size, times[way], "its products at the FMA peak", floor, wanted)
        )
    return lines
