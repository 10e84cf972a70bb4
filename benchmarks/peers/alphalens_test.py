"""The factor test against alphalens-reloaded: the same factor and prices, the same numbers, and how long each takes.

Both come with ``[dev]``. From the root of the checkout::

    python -m benchmarks.peers.alphalens_test [STOCKS [DAYS]]

Minus the 20-day return of a random walk without holes, horizons 1, 5, 10, 20, deciles, turnover: the numbers of
alphalens's full tear sheet without its figures; ours with all its statistics, weekly deciles and tradeable names
besides. Exit code 1 where the numbers differ by over 1e-12.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from alphalens import performance, utils

from deepfactor.core.arrays import Float64
from deepfactor.evaluation.factor_test import FactorReport, TestSettings, test_factor
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import trailing_return
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe

HORIZONS, GROUPS = (1, 5, 10, 20), 10
#: What a day's rank coefficients may differ by.
AGREEMENT = 1e-12

Found = dict[int, Float64]


def market(stocks: int, days: int) -> tuple[Panel, Universe]:
    """A random walk on business days: every stock trades every day, none has a limit."""
    rng = np.random.default_rng(0)
    calendar = pd.bdate_range("2018-01-01", periods=days + 1).to_numpy().astype("datetime64[D]")
    close = 10 * np.exp(np.cumsum(0.02 * rng.standard_normal((days, stocks)), axis=0))
    symbols = np.array([f"{j:06d}.SZ" for j in range(stocks)])
    fields: dict[str, Any] = dict.fromkeys(("close", "vwap", "low", "high"), close)
    panel = Panel(calendar[:-1], symbols, fields | {"adj_factor": np.ones(close.shape)}, "random walk")
    always, none = np.ones(close.shape, np.bool_), np.zeros(close.shape, np.int32)
    universe = Universe(
        dates=panel.dates,
        symbols=symbols,
        listed=always,
        traded=always,
        st=~always,
        limit_up=none,
        limit_down=none,
        industry=np.zeros(close.shape, np.int16),
        industries=("all",),
        members={},
        benchmark={},
        weighting={},
        index_close={},
        index_total_return={},
        next_date=calendar[1:],
    )
    return panel, universe


def ours(scores: Scores, panel: Panel, universe: Universe) -> FactorReport:
    """Coefficients with their statistics, by year; weekly groups, turnover, autocorrelation."""
    settings = TestSettings(
        universes=("every",), conventions=("t0_close",), horizons=HORIZONS, decay=0, groups={"every": GROUPS}, tops=()
    )
    report = test_factor(scores, panel, universe, settings, eligible=np.isfinite(scores.values))
    report.to_json_dict()
    return report


def theirs(scores: Scores, panel: Panel) -> Found:
    """What `alphalens.tears.create_full_tear_sheet` computes, in its order."""
    days = pd.DatetimeIndex(panel.dates.astype("datetime64[ns]"), name="date")
    prices = pd.DataFrame(panel["close"], index=days, columns=panel.symbols)
    factor = pd.DataFrame(scores.values, index=days, columns=panel.symbols).stack()
    factor.index = factor.index.set_names(["date", "asset"])
    clean = utils.get_clean_factor_and_forward_returns(factor, prices, quantiles=GROUPS, periods=HORIZONS, max_loss=0.9)
    returns = performance.factor_returns(clean)
    performance.mean_return_by_quantile(clean)
    by_date, errors = performance.mean_return_by_quantile(clean, by_date=True)
    performance.factor_alpha_beta(clean, returns)
    performance.compute_mean_returns_spread(by_date, GROUPS, 1, std_err=errors)
    coefficients = performance.factor_information_coefficient(clean)
    for horizon in HORIZONS:
        for quantile in range(1, GROUPS + 1):
            performance.quantile_turnover(clean["factor_quantile"], quantile, horizon)
        performance.factor_rank_autocorrelation(clean, horizon)
    return {horizon: coefficients.iloc[:, k].to_numpy() for k, horizon in enumerate(HORIZONS)}


@dataclass(frozen=True)
class Compared:
    """CPU seconds of both in each round, and the largest difference of a day's rank coefficient."""

    ours: list[float]
    theirs: list[float]
    off: float


def reversal(panel: Panel) -> Scores:
    """Minus the 20-day return."""
    return Scores("minus 20-day return", panel.dates, panel.symbols, -trailing_return(panel, 20))


def compared(stocks: int, days: int, rounds: int = 1) -> Compared:
    """Ours, then alphalens, in each round."""
    panel, universe = market(stocks, days)
    scores = reversal(panel)
    result = Compared([], [], 0.0)
    for _ in range(rounds):
        report = timed(result.ours, lambda: ours(scores, panel, universe))
        found = timed(result.theirs, lambda: theirs(scores, panel))
    mine = {s.horizon: s.values.rank_ic for s in report.series if s.names == "all"}
    last = max(HORIZONS)  # alphalens drops a day for all horizons when one lacks its exit
    off = max(float(np.nanmax(np.abs(mine[h][: len(found[last])] - found[h]))) for h in HORIZONS)
    return replace(result, off=off)


def main(stocks: int, days: int) -> int:
    """Print the comparison; 0 where all agree."""
    found = compared(stocks, days)
    print(f"{stocks} stocks × {days} days: largest difference of a day's rank coefficient {found.off:.1e}")
    print(f"CPU: ours {found.ours}, alphalens {found.theirs}: {found.theirs[0] / found.ours[0]:.0f} times")
    return int(found.off > AGREEMENT)


def timed(taken: list[float], work: Callable[[], Any]) -> Any:
    """The result of `work`; its CPU seconds go to `taken`."""
    start = time.process_time()
    result = work()
    taken.append(round(time.process_time() - start, 2))
    return result


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # alphalens's own
    sizes = [int(text) for text in sys.argv[1:]]
    sys.exit(main(*(sizes + [4000, 750][len(sizes) :])))
