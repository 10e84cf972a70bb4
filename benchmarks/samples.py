"""Training samples a CPU-second, ours against qlib's GRU loop, each with its own loader, on data of the same size."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import jobs
from benchmarks.process import ENVIRONMENT
from benchmarks.timing import Line, alone, compare
from deepfactor.core.kind import Kind

PYTHON = Path(__file__).parents[1] / ".peers" / "qlib" / "bin" / "python"
PEER = Path(__file__).parent / "peers" / "qlib_gru.py"
#: Batches of qlib's are 2000 samples of any days, ours a day's cross-section.
STOCKS, DAYS, ROUNDS = 1000, 3, 3
#: Ours, qlib's layers, what of it is the same.
PAIRS = {
    "gru": (Kind(kind="gru"), 2, "qlib's GRU as it comes (2 layers, every day a step)"),
    "gru, every day a step": (Kind.model_validate({"kind": "gru", "patch": 1}), 1, "qlib's GRU with 1 layer"),
}


def measure() -> list[Line]:
    """Times a thousand samples; ours in an epoch that has the days' statistics, gathering and Adam included."""
    if not PYTHON.exists():
        return [Line("samples a CPU-second", "", 0.0, "not measured: `make peers` makes qlib's environment")]
    jobs.steps(100, 3, 2)  # warm
    return [line for name in PAIRS for line in _pair(name)]


def _pair(name: str) -> list[Line]:
    model, layers, other = PAIRS[name]
    ours, theirs, load = [], [], []
    for _ in range(ROUNDS):
        seconds = jobs.steps(STOCKS, DAYS, 3, model).later()
        ours.append(1e3 * sum(seconds) / (len(seconds) * STOCKS))
        found = _peer(layers)
        theirs.append(1e3 * found["train"] / found["samples"])
        load.append(1e3 * found["load"] / found["samples"])
    size = f"{STOCKS} stocks, 150 days × 6"
    line = compare(f"{name}, 1000 training samples", size, ours, other, theirs, "≥ 8" if layers == 2 else "")
    note = f"samples a CPU-s: ours {1e3 / line.ours:,.0f}, qlib's {1e3 / (line.seconds or 1):,.0f}"
    note += f", its loader alone {1e3 / sorted(load)[len(load) // 2]:,.0f}"
    return [line, alone(f"{name}, the same as samples a CPU-s", size, ours, note)]


def _peer(layers: int) -> dict[str, Any]:
    command = [str(PYTHON), str(PEER), str(STOCKS), str(DAYS), str(layers)]
    done = subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
