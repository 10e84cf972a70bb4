"""How training's cost grows with stocks and with days: it must be linear, an exponent of 1."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from benchmarks import jobs
from benchmarks.timing import Line, alone
from deepfactor.core.kind import Kind

STOCKS, DAYS = (500, 2000), (4, 16)
ROUNDS = 2


def measure() -> list[Line]:
    """Exponents of a step in stocks and of an epoch in days, from rounds in turn; first epochs with what they add."""
    jobs.steps(100, 3, 2)  # warm
    return [line for name in ("gru", "decomp_gru") for line in [*_in_stocks(name), *_in_days(name)]]


def _in_stocks(name: str) -> list[Line]:
    rounds = [[statistics.median(jobs.steps(n, 3, 3, Kind(kind=name)).later()) for n in STOCKS] for _ in range(ROUNDS)]
    return _lines(f"{name}, trainer's step", [f"{n} stocks" for n in STOCKS], STOCKS, rounds)


def _in_days(name: str) -> list[Line]:
    """Steps are what an epoch consists of: their sum over two epochs, statistics included."""
    rounds = [[sum(s for _, s in jobs.steps(STOCKS[0], n + 1, 2, Kind(kind=name)).seconds) for n in DAYS]
              for _ in range(ROUNDS)]  # fmt: skip
    return _lines(f"{name}, two epochs", [f"{n} days of {STOCKS[0]} stocks" for n in DAYS], DAYS, rounds)


def _lines(job: str, sizes: Sequence[str], counts: Sequence[int], rounds: Sequence[Sequence[float]]) -> list[Line]:
    exponents = [math.log(large / small) / math.log(counts[1] / counts[0]) for small, large in rounds]
    note = f"exponent {statistics.median(exponents):.2f} ({min(exponents):.2f} to {max(exponents):.2f})"
    small, large = zip(*rounds, strict=True)
    return [alone(job, sizes[0], small, ""), alone(job, sizes[1], large, note, "exponent about 1")]
