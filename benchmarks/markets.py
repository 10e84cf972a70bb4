"""From a seed to a panel at two sizes, and a weekly backtest."""

from __future__ import annotations

import datetime as dt
import math
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.timing import Line, alone, compare, cpu
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.market.fees import Costs
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe, UniverseRule
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import load_preset
from deepfactor.portfolio.problem import Rebalance, Target
from deepfactor.sources import simulated
from deepfactor.sources.base import fetch_all
from deepfactor.store.folder import ingest
from deepfactor.styles import basic

#: Securities ever listed of the two markets (one in twenty lists only after the end), over the same days.
SMALL, LARGE = 521, 4207
START, END = dt.date(2019, 1, 2), dt.date(2022, 12, 28)
ROUNDS = {SMALL: 3, LARGE: 1}
INDEX = "000905.SH"


@dataclass(frozen=True)
class Built:
    """A simulated market, opened, with the CPU seconds of each round of each stage."""

    panel: Panel
    universe: Universe
    rows: int
    seconds: dict[str, list[float]]


def build(stocks: int, out: Path) -> Built:
    """Simulate, ingest and compile a market under `out`, `ROUNDS` times from nothing."""
    rounds = [_build_once(stocks, out) for _ in range(ROUNDS[stocks])]
    seconds = {stage: [taken[stage] for _, taken in rounds] for stage in rounds[0][1]}
    panel, universe = open_panel(out)
    return Built(panel, universe, rounds[0][0], seconds)


def _build_once(stocks: int, out: Path) -> tuple[int, dict[str, float]]:
    """Rows of all tables, and the CPU seconds of each stage."""
    shutil.rmtree(out, ignore_errors=True)
    source = simulated.open_source(simulated.Settings(stocks=stocks, start=START, end=END))
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


class Timed:
    """An enhancer that adds up the CPU time of its solutions."""

    def __init__(self, enhancer: IndexEnhancer) -> None:
        self.enhancer, self.seconds, self.solved = enhancer, 0.0, 0

    def solve(self, r: Rebalance) -> Target:
        """As the enhancer."""
        found: list[Target] = []
        self.seconds += cpu(lambda: found.append(self.enhancer.solve(r)))
        self.solved += 1
        return found[0]


def backtest(built: Built, rounds: int) -> list[Line]:
    """A weekly index-enhanced backtest over the whole market, against its linear programs alone."""
    panel, universe = built.panel, built.universe
    preset = load_preset("study_b")
    settings = BacktestSettings(fill=preset.fill, costs=Costs(kind="flat", rate=preset.cost_rate))
    values = -trailing_return(panel, 1) + 0.1 * np.random.default_rng(0).standard_normal(panel.shape)
    scores = Scores("reversal and noise", panel.dates, panel.symbols, values)
    styles = basic.compute(basic.Settings(), panel, universe).exposures
    eligible = universe.batch(UniverseRule(window=20, min_observed=10))
    whole, programs, enhancer = [], [], Timed(IndexEnhancer(preset))

    def follow() -> None:
        run_backtest(panel, universe, scores, styles, enhancer, INDEX, settings, eligible=eligible)

    for _ in range(rounds):
        enhancer = Timed(IndexEnhancer(preset))
        whole.append(cpu(follow))
        programs.append(enhancer.seconds)
    size = f"{panel.shape[1]} stocks × {panel.shape[0]} days"
    return [compare("weekly backtest, Study B", size, whole, f"its {enhancer.solved} enhancements alone", programs)]
