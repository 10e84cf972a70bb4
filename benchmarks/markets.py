"""From a seed to a panel at two sizes.

``python -m benchmarks.markets STOCKS FIRST_YEAR LAST_YEAR`` prints the CPU seconds of each stage once.
"""

from __future__ import annotations

import datetime as dt
import math
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.timing import Line, alone, cpu
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.sources import simulated
from deepfactor.sources.base import fetch_all
from deepfactor.store.folder import ingest

#: Securities ever listed of the two markets (one in twenty lists only after the end), over the same days.
SMALL, LARGE = 521, 4207
START, END = dt.date(2019, 1, 2), dt.date(2022, 12, 28)
ROUNDS = {SMALL: 3, LARGE: 1}


@dataclass(frozen=True)
class Built:
    """A simulated market, opened, with the CPU seconds of each round of each stage."""

    panel: Panel
    universe: Universe
    rows: int
    seconds: dict[str, list[float]]


def build(stocks: int, out: Path) -> Built:
    """Simulate, ingest and compile a market under `out`, `ROUNDS` times from nothing."""
    rounds = [build_once(stocks, out) for _ in range(ROUNDS[stocks])]
    seconds = {stage: [taken[stage] for _, taken in rounds] for stage in rounds[0][1]}
    panel, universe = open_panel(out)
    return Built(panel, universe, rounds[0][0], seconds)


def build_once(stocks: int, out: Path, start: dt.date = START, end: dt.date = END) -> tuple[int, dict[str, float]]:
    """Rows of all tables, and the CPU seconds of each stage."""
    shutil.rmtree(out, ignore_errors=True)
    source = simulated.open_source(simulated.Settings(stocks=stocks, start=start, end=end))
    tables: list[tuple[str, pl.DataFrame]] = []
    seconds = {
        "simulate": cpu(lambda: tables.extend(fetch_all(source))),
        "ingest": cpu(lambda: ingest(out, tables, source.describe)),
        "panel build": cpu(lambda: open_panel(out)),
    }
    return sum(frame.height for _, frame in tables), seconds


def throughput(small: Built, large: Built) -> list[Line]:
    """Time of each stage at both sizes, rows a second, and the exponent of growth in stocks."""
    lines = []
    for stage in small.seconds:
        times = [statistics.median(built.seconds[stage]) for built in (small, large)]
        exponent = math.log(times[1] / times[0]) / math.log(large.rows / small.rows)
        for built, seconds in zip((small, large), times, strict=True):
            note = f"{built.rows / seconds / 1e3:,.0f} thousand rows a CPU-s"
            if built is large:
                note += f"; exponent {exponent:.2f}"
            size = f"{built.panel.shape[1]} stocks × {built.panel.shape[0]} days"
            target = "exponent about 1" if built is large else ""
            lines.append(alone(stage, size, built.seconds[stage], note, target))
    return lines


if __name__ == "__main__":
    size, first, last = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        print(build_once(size, Path(folder) / "market", dt.date(first, 1, 1), dt.date(last, 12, 31))[1])
