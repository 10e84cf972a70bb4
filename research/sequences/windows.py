"""Sequences against windows on one fold: what a RankIC costs, and what the test years say.

::

    python -m research.sequences.windows MARKET OUT [--arms gru_ic,gru_mse,decomp_gru_ic] [--seeds 0,42,3407]

Trains on 2013–2017, validates on all days of 2018 and tests on 2019–2021, each arm of `study_b_full` by sequences and
by windows of every 5th day (as `study_b_first`), and prints a table: CPU-seconds until a validation RankIC of 0.118 was
first seen, and in all; RankIC of the raw 10-day return and its ICIR on the test days; the top 5 % over all, in points a
year before cost; the mean difference of the daily RankICs with its Newey–West t. Killed, it goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfactor.core.arrays import Float64, Floats
from deepfactor.cross_section.correlation import spearman
from deepfactor.evaluation.statistics import newey_west_t
from deepfactor.panel.returns import forward_return
from deepfactor.pipeline.markets import Market, open_market
from research.sequences.trained import Course, train

FOLD = ("plan.first_test=2019", "plan.last_test=2021", "plan.test_years=3")
WAYS = {"sequences": (), "windows": ('fit.samples="windows"', "plan.every=5")}
HEAD = (
    "| arm | seed | way | CPU-s to 0.118 | in all | best, validated | RankIC | ICIR | top 5 % | less windows (t) "
    "|\n|---|---|---|---|---|---|---|---|---|---|"
)
LEVEL, HORIZON, WEEK, YEAR = 0.118, 10, 5, 252


@dataclass(frozen=True)
class Tested:
    """A course and its test days' RankIC and weekly top excess."""

    course: Course
    rank_ic: Float64
    top: Float64


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(prog="python -m research.sequences.windows", description=__doc__.split("\n")[0])
    parser.add_argument("market", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--arms", default="gru_ic")
    parser.add_argument("--seeds", default="0,42,3407")
    given = parser.parse_args()
    market = open_market(given.market)
    returns = {days: forward_return(market.panel, "t1_close", days) for days in (HORIZON, WEEK)}
    print(HEAD)
    for arm in given.arms.split(","):
        for seed in given.seeds.split(","):
            found: dict[str, Tested] = {}
            for way, own in WAYS.items():
                (course,) = train(market, given.out, arm, (*FOLD, *own, f"fit.seeds=[{seed}]"))
                found[way] = tested(market, course, returns)
            apart = found["sequences"].rank_ic - found["windows"].rank_ic
            said = f"{np.nanmean(apart):+.4f} ({newey_west_t(apart, HORIZON - 1):+.1f})"
            for way, one in found.items():
                print(_row(arm, seed, way, one, said if way == "sequences" else ""), flush=True)


def tested(market: Market, course: Course, returns: dict[int, Float64]) -> Tested:
    """The test days of a course by raw returns; NaN where a day has none."""
    days = np.flatnonzero(np.isfinite(course.scores).any(axis=1))
    rank_ic = np.array([_rank_ic(course.scores[t], returns[HORIZON][t]) for t in days])
    top = np.array([_top(course.scores[t], returns[WEEK][t]) for t in days[::WEEK]])
    return Tested(course, rank_ic, top)


def _rank_ic(score: Floats, returns: Floats) -> float:
    both = np.isfinite(score) & np.isfinite(returns)
    return spearman(score[both], returns[both]) if both.sum() > 2 else np.nan


def _top(score: Floats, returns: Floats) -> float:
    """Mean return of the best 5 % less that of all."""
    both = np.isfinite(score) & np.isfinite(returns)
    if both.sum() < 20:
        return np.nan
    best = score >= np.quantile(score[both], 0.95)
    return float(returns[both & best].mean() - returns[both].mean())


def _row(arm: str, seed: str, way: str, one: Tested, apart: str) -> str:
    course, mean = one.course, float(np.nanmean(one.rank_ic))
    to = course.cpu_to(LEVEL)
    cells = [
        arm, seed, way, "never" if to is None else f"{to:.0f}", f"{course.cpu[-1]:.0f}", f"{course.best:.4f}",
        f"{mean:.4f}", f"{mean / np.nanstd(one.rank_ic):.2f}", f"{100 * np.nanmean(one.top) * YEAR / WEEK:+.1f}", apart,
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
