"""Sequences against windows on one fold: what a RankIC costs, and what the test years say.

::

    python -m research.sequences.windows MARKET OUT [--arms gru_ic,gru_mse,decomp_gru_ic] [--seeds 0,42,3407]
        [--precision bf16] [--level 0.118]

Trains on 2013–2017, validates on all days of 2018 and tests on 2019–2021, each arm of `study_b_full` by sequences and
by windows of every 5th day (as `study_b_first`), and prints a table: CPU-seconds until a validation RankIC of `level`
was first seen (without one: the lower of what the two ways reach at best), and in all; RankIC of the raw 10-day return
and its ICIR on the test days; the top 5 % over all, in points a year before cost; the mean difference of the daily
RankICs with its Newey–West t. The last rows of an arm are the means over its seeds; their difference is that of the
days' means. Killed, it goes on; arms can be shared out between processes with one OUT.
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
from deepfactor.pipeline.markets import open_market
from research.sequences.trained import Course, train

FOLD = ("plan.first_test=2019", "plan.last_test=2021", "plan.test_years=3")
WAYS = {"sequences": (), "windows": ('fit.samples="windows"', "plan.every=5")}
HEAD = (
    "| arm | seed | way | level | CPU-s to it | in all | best, validated | RankIC | ICIR | top 5 % | less windows (t) "
    "|\n|---|---|---|---|---|---|---|---|---|---|---|"
)
HORIZON, WEEK, YEAR = 10, 5, 252


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
    parser.add_argument("--precision", default="float32", help="of the networks' products: float32 or bf16")
    parser.add_argument("--level", type=float, help="validation RankIC to which CPU-seconds are counted")
    given = parser.parse_args()
    market = open_market(given.market)
    returns = {days: forward_return(market.panel, "t1_close", days) for days in (HORIZON, WEEK)}
    print(HEAD)
    for arm in given.arms.split(","):
        of: dict[str, list[Tested]] = {way: [] for way in WAYS}
        for seed in given.seeds.split(","):
            for way, own in WAYS.items():
                settings = (*FOLD, *own, f"fit.seeds=[{seed}]")
                (course,) = train(market, given.out, arm, settings, given.precision)
                of[way].append(tested(course, returns))
            _say(arm, seed, {way: all_seeds[-1:] for way, all_seeds in of.items()}, given.level)
        if len(of["windows"]) > 1:
            _say(arm, "mean", of, given.level)


def tested(course: Course, returns: dict[int, Float64]) -> Tested:
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


def _say(arm: str, seed: str, of: dict[str, list[Tested]], level: float | None) -> None:
    """A row for each way, of one seed or of the mean over several."""
    daily = {way: np.mean([one.rank_ic for one in seeds], axis=0) for way, seeds in of.items()}
    apart = daily["sequences"] - daily["windows"]
    said = f"{np.nanmean(apart):+.4f} ({newey_west_t(apart, HORIZON - 1):+.1f})"
    for way, seeds in of.items():
        to = [_reached(of, i, level) for i in range(len(seeds))]
        print(_row([arm, seed, way], seeds, to, said if way == "sequences" else ""), flush=True)


def _reached(of: dict[str, list[Tested]], i: int, level: float | None) -> float:
    """The level to which the i-th seed's CPU-seconds are counted: by default what both ways reach."""
    return level if level is not None else min(seeds[i].course.best for seeds in of.values())


def _row(named: list[str], seeds: list[Tested], to: list[float], apart: str) -> str:
    """The means over `seeds`: a level that one of them never saw is never seen."""
    spent = [one.course.cpu_to(level) for one, level in zip(seeds, to, strict=True)]
    known = [cpu for cpu in spent if cpu is not None]
    cells = [
        *named, f"{np.mean(to):.4f}", f"{np.mean(known):.0f}" if len(known) == len(spent) else "never",
        f"{np.mean([one.course.cpu[-1] for one in seeds]):.0f}", f"{np.mean([one.course.best for one in seeds]):.4f}",
        f"{np.mean([np.nanmean(one.rank_ic) for one in seeds]):.4f}",
        f"{np.mean([np.nanmean(one.rank_ic) / np.nanstd(one.rank_ic) for one in seeds]):.2f}",
        f"{np.mean([100 * np.nanmean(one.top) * YEAR / WEEK for one in seeds]):+.1f}", apart,
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
