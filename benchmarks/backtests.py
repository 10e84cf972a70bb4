"""A weekly index-enhanced backtest of a whole market: its linear programs, the rest of it, and its attribution."""

from __future__ import annotations

import numpy as np

from benchmarks.markets import Built
from benchmarks.timing import Line, alone, compare, cpu
from deepfactor.backtest.attribution import attribute
from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.result import BacktestResult
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import UniverseRule
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import load_preset
from deepfactor.portfolio.problem import Rebalance, Target
from deepfactor.styles import basic

INDEX = "000905.SH"
#: What qlib takes for a weekly backtest of 500 stocks over 989 days, and 30 times less.
TARGET = "≤ 0.5 CPU-s (qlib 16)"


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


def measure(built: Built, rounds: int, *, target: bool) -> list[Line]:
    """Study B's backtest of a noisy reversal over the whole market; `target` = the size is that of the mark."""
    panel, universe = built.panel, built.universe
    preset = load_preset("study_b")
    settings = BacktestSettings(fill=preset.fill, costs=preset.costs)
    values = -trailing_return(panel, 1) + 0.1 * np.random.default_rng(0).standard_normal(panel.shape)
    scores = Scores("reversal and noise", panel.dates, panel.symbols, values)
    styles = basic.compute(basic.Settings(), panel, universe).exposures
    eligible = universe.eligible(UniverseRule(window=20, min_observed=10))
    enhancer = Timed(IndexEnhancer(preset))

    def follow() -> BacktestResult:
        return run_backtest(panel, universe, scores, styles, enhancer, INDEX, settings, eligible=eligible)

    result = follow()
    whole, programs, parts = [], [], []
    for _ in range(rounds):
        enhancer = Timed(IndexEnhancer(preset))
        whole.append(cpu(follow))
        programs.append(enhancer.seconds)
        parts.append(cpu(lambda: attribute(result, panel, universe, styles, settings.haircut)))
    rest = [a - b for a, b in zip(whole, programs, strict=True)]
    size, mark = f"{panel.shape[1]} stocks × {panel.shape[0]} days", TARGET if target else ""
    return [
        compare("weekly backtest, Study B", size, whole, f"its {enhancer.solved} enhancements alone", programs, mark),
        alone("the same without its enhancements", size, rest, "orders, fills, books, curves", mark),
        alone("attribution of its active return", size, parts, f"{len(result.dates)} daily regressions"),
    ]
