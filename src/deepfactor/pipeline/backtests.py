"""Many scores followed under one constraint set, over worker processes: what placebo bands and seeds' spreads take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np

from deepfactor.backtest.loop import BacktestSettings, run_backtest
from deepfactor.backtest.performance import excess_statistics
from deepfactor.backtest.result import BacktestResult
from deepfactor.core.arrays import Bools, Float64, Floats
from deepfactor.evaluation.definitions import PRESETS
from deepfactor.evaluation.records import Number
from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe
from deepfactor.pipeline.sharing import laid_out, mapped, same_threads, seen_from_afar
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import DEFAULT_DEFINITIONS, Enhancement
from deepfactor.risk.model import RiskModel
from deepfactor.training.engines.base import Do, Engine, Task
from deepfactor.training.engines.processes import Processes


@dataclass(frozen=True)
class Ground:
    """What all of them share: market, exposures, who may be bought, and how a portfolio is followed.

    `risk`: the model of `styles`, where the constraints want one. `start`, `end`: first signal day and last day, so
    that all cover the days of the portfolio that they stand beside.
    """

    panel: Panel
    universe: Universe
    styles: Mapping[str, Floats]
    buyable: Bools
    preset: Enhancement
    index: str
    capital: float
    start: np.datetime64
    end: np.datetime64
    risk: RiskModel | None = None


class Followed(TypedDict):
    """Excess after and before cost by the preset's definition over the headline benchmark, and the information ratio;
    None = not defined."""

    excess: Number
    excess_gross: Number
    information_ratio: Number


#: Backtests a worker up to which starting it, some seconds, isn't worth it.
_FEW = 2
#: From a number to the scores (T, N) that it stands for: top-level or partial, since a worker is sent it.
MakeScores = Callable[[int], Float64]


def settings_of(preset: Enhancement, capital: float) -> BacktestSettings:
    """How a portfolio under a constraint set is followed."""
    return BacktestSettings(
        capital=capital,
        fill=preset.fill,
        costs=preset.costs,
        haircut=preset.haircut,
        signal=preset.signal,
        score=preset.score,
    )


def follow(ground: Ground, values: Float64, name: str = "scores") -> BacktestResult:
    """One backtest of scores (T, N)."""
    panel = ground.panel
    return run_backtest(
        panel,
        ground.universe,
        Scores(name, panel.dates, panel.symbols, values),
        ground.styles,
        IndexEnhancer(ground.preset),
        ground.index,
        settings_of(ground.preset, ground.capital),
        start=ground.start,
        end=ground.end,
        eligible=ground.buyable,
        risk=ground.risk,
    )


def followed(result: BacktestResult, preset: Enhancement) -> Followed:
    """The numbers of a backtest that are compared with others'."""
    definitions = PRESETS[preset.definitions or DEFAULT_DEFINITIONS]
    net, gross = (
        excess_statistics(nav, result.headline_nav, result.dates, definitions) for nav in (result.nav, result.gross_nav)
    )
    numbers = net.excess, gross.excess, net.information_ratio
    excess, before_cost, ratio = (one if np.isfinite(one) else None for one in numbers)
    return {"excess": excess, "excess_gross": before_cost, "information_ratio": ratio}


def follow_many(
    market: Path, ground: Ground, numbers: Sequence[int], make: MakeScores, engine: Engine
) -> Iterator[tuple[int, Followed]]:
    """Each number with what its scores earn, as they get done, by `engine`; a few in this process. A cluster's nodes
    must share the folder `market`, where what they are sent is put down."""
    local = isinstance(engine, Processes)
    if isinstance(engine, Processes) and (engine.workers < 2 or len(numbers) <= _FEW * engine.workers):
        for number in numbers:
            yield number, followed(follow(ground, make(number)), ground.preset)
        return
    market = seen_from_afar(engine, market)
    tasks = [Task(f"backtest {number}", number, shares=None if local else market) for number in numbers]
    with (
        _sent(market, ground, None if local else market) as sent,
        closing(same_threads(engine).each(partial(_open, sent, make), tasks, lambda event: None)) as done,
    ):
        for task, found in done:
            yield task.content, found


@dataclass(frozen=True)
class _Sent:
    """A ground as a worker is sent it: large arrays by where they lie, memory-mapped there."""

    market: Path
    rows: int
    folder: Path
    styles: tuple[str, ...]
    rest: Ground


@contextmanager
def _sent(market: Path, ground: Ground, room: Path | None) -> Iterator[_Sent]:
    """The exposures and who may be bought as files in `room` (None = the system's for temporary ones), of the days
    followed alone: the others are holes in them."""
    first, last = np.searchsorted(ground.panel.dates, [ground.start, ground.end]).tolist()
    rows = slice(max(first - 1, 0), last + 1)
    with laid_out((ground.buyable, *ground.styles.values()), rows, room) as folder:
        nothing = np.zeros((0, 0), np.bool_)
        panel, universe = ground.panel.between(0, 0), ground.universe.between(0, 0)
        rest = replace(ground, panel=panel, universe=universe, styles={}, buyable=nothing)
        yield _Sent(market, len(ground.panel.dates), folder, tuple(ground.styles), rest)


def _open(sent: _Sent, make: MakeScores) -> Do[int, Followed]:
    """In a worker: the market up to the last day that the parent has of it. Its holdout was opened there or not."""
    panel, universe = open_panel(sent.market, live=True)
    buyable, *styles = (mapped(sent.folder, k) for k in range(len(sent.styles) + 1))
    ground = replace(
        sent.rest,
        panel=panel.between(0, sent.rows),
        universe=universe.between(0, sent.rows),
        styles=dict(zip(sent.styles, styles, strict=True)),
        buyable=buyable,
    )
    return lambda number, where, tell: followed(follow(ground, make(number)), ground.preset)
