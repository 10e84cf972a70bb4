"""The factor test against the least that numpy must do for the same series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.timing import Line, compare, interleave
from deepfactor.core.arrays import Float64
from deepfactor.evaluation.factor_test import FactorReport, TestSettings, test_factor
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe

HORIZONS, GROUPS, DAYS, ROUNDS = (1, 5, 10, 20), 10, 750, 3


def measure(panel: Panel, universe: Universe) -> list[Line]:
    """Minus the 20-day return over `DAYS` days, tested for `HORIZONS` with deciles, against `floor`."""
    panel, universe = panel.until(DAYS - 1), universe.until(DAYS - 1)
    values = -trailing_return(panel, 20)
    scores = Scores("minus 20-day return", panel.dates, panel.symbols, values)
    ways = {
        "ours": lambda: ours(scores, panel, universe, GROUPS),
        "IC alone": lambda: ours(scores, panel, universe, 0),
        "floor": lambda: floor(values, panel),
        "half the days": lambda: ours(_only(scores, days=len(values) // 2), panel, universe, GROUPS),
        "half the stocks": lambda: ours(_only(scores, every=2), panel, universe, GROUPS),
    }
    _agree(ways["ours"](), ways["floor"]())
    times = interleave(ways, ROUNDS, warm_up=False)
    size = f"{panel.shape[1]} stocks × {panel.shape[0]} days"
    what = f"factor test, horizons {', '.join(map(str, HORIZONS))}"
    plain = "plain numpy: ranks, IC, decile means and turnover"
    return [
        compare(f"{what}, deciles by week", size, times["ours"], plain, times["floor"]),
        compare(f"{what}, no groups", size, times["IC alone"], plain, times["floor"]),
        *(
            compare(f"{what}, {half}", size, times[half], "the whole: 2 = linear", times["ours"])
            for half in ("half the days", "half the stocks")
        ),
    ]


def _only(scores: Scores, days: int | None = None, every: int = 1) -> Scores:
    """The scores of the first `days` and of every n-th stock alone; a test reads no more of the market than those."""
    values = np.full(scores.values.shape, np.nan)
    values[:days, ::every] = scores.values[:days, ::every]
    return replace(scores, values=values)


def ours(scores: Scores, panel: Panel, universe: Universe, groups: int) -> FactorReport:
    """IC, RankIC with their statistics, by year; groups as weekly portfolios with their curves."""
    settings = TestSettings(
        universes=("every",), conventions=("t1_close",), horizons=HORIZONS, decay=0, groups={"every": groups}, tops=()
    )
    return test_factor(scores, panel, universe, settings, eligible=np.isfinite(scores.values))


def floor(values: Float64, panel: Panel) -> dict[int, Float64]:
    """For each horizon: forward return, ranks, IC and RankIC a day, mean return of each decile, and its turnover."""
    price = panel["close"].astype(np.float64) * panel["adj_factor"]
    found = {}
    for horizon in HORIZONS:
        future = np.full(price.shape, np.nan)
        future[: -1 - horizon] = price[1 + horizon :] / price[1:-horizon] - 1
        daily = np.full(len(values), np.nan)
        before = np.full(values.shape[1], -1)
        for t in range(20, len(values) - 1 - horizon):
            both = np.flatnonzero(np.isfinite(values[t]) & np.isfinite(future[t]))
            rank = values[t, both].argsort().argsort()
            daily[t] = np.corrcoef(rank, future[t, both].argsort().argsort())[0, 1]
            np.corrcoef(values[t, both], future[t, both])
            decile = rank * GROUPS // len(both)
            np.bincount(decile, future[t, both]) / np.bincount(decile)
            now = np.full(values.shape[1], -1)
            now[both] = decile
            np.bincount(now[both], now[both] != before[both])
            before = now
        found[horizon] = daily
    return found


def _agree(report: FactorReport, plain: dict[int, Float64]) -> None:
    """The mean RankICs agree but for how equal returns are ranked."""
    for series in report.series:
        if series.names == "all":
            a, b = np.nanmean(series.values.rank_ic), np.nanmean(plain[series.horizon])
            if abs(a - b) > 1e-4:
                raise AssertionError(f"horizon {series.horizon}: RankIC {a} against {b}")
