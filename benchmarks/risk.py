"""Speed and exactness of programs with a limit on the tracking error.

``python -m benchmarks.risk --weeks 60`` takes random weeks of study B's constraints (`benchmarks.weeks`), limits the
tracking error to 0.3 to 0.95 of what it is without one, and prints how far answers are proved, what they break, and CPU
time beside that of Clarabel alone on ready arrays; then the same at 5,000 stocks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.weeks import week
from deepfactor.core.arrays import Float64
from deepfactor.portfolio import _cone
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import parse_enhancement
from deepfactor.portfolio.problem import Rebalance
from deepfactor.risk.forecast import Forecast

STYLES = 10


@dataclass(frozen=True)
class Solved:
    """One week: relative gap, largest violation, CPU-seconds of all and of Clarabel, whether anything was relaxed."""

    gap: float
    violation: float
    seconds: float
    bare: float
    relaxed: bool


def with_forecast(r: Rebalance, seed: int) -> Rebalance:
    """The week with factors and specific risks by chance."""
    rng = np.random.default_rng(seed)
    groups = int(r.industry.max()) + 1
    names = ("market", *(f"industry {k}" for k in range(groups)), "unknown", *r.styles)
    scale = np.array([0.2, *[0.1] * (groups + 1), *[0.05] * len(r.styles)])
    mixing = np.eye(len(names)) + 0.2 * rng.standard_normal((len(names), len(names)))
    covariance: Float64 = scale[:, None] * (mixing @ mixing.T) * scale
    deviation = rng.uniform(0.2, 0.6, len(r))
    return replace(r, risk=Forecast.of(names, covariance, deviation, r.industry, r.styles))


@contextmanager
def clarabel_timed() -> Iterator[list[float]]:
    """CPU-seconds of Clarabel alone, in the only entry of the list."""
    spent, run = [0.0], _cone._run

    def timed(conic: Any, tolerance: float) -> Any:
        began = time.process_time()
        try:
            return run(conic, tolerance)
        finally:
            spent[0] += time.process_time() - began

    with mock.patch.object(_cone, "_run", timed):
        yield spent


def solve(n: int, seed: int, share: float) -> Solved:
    """One week of n stocks, its tracking error limited to `share` of the free one."""
    free, bare = week(n, seed=seed, styles=STYLES)
    r = with_forecast(bare, seed)
    assert r.risk is not None
    invested = 1.0 - free.settings.cash
    limit = share * r.risk.tracking_error(free.solve(r).weights - invested * r.benchmark)
    content = free.settings.model_dump(mode="json")
    content["constraints"] = [*content["constraints"], {"kind": "tracking_error", "limit": limit}]
    content["relax_order"] = ["turnover", "risk", *content["relax_order"][1:]]
    enhancer = IndexEnhancer(parse_enhancement(content))
    with clarabel_timed() as spent:
        began = time.process_time()
        target = enhancer.solve(r)
        seconds = time.process_time() - began
    over = r.risk.tracking_error(target.weights - invested * r.benchmark) - limit
    gave_way = any(one.constraint == "tracking_error" for one in target.relaxations)
    violation = max(target.primal_residual, 0.0 if gave_way else over)
    gap = abs(target.gap) / max(abs(target.objective), 1e-12)
    return Solved(gap, violation, seconds, spent[0], bool(target.relaxations))


def said(found: list[Solved]) -> str:
    """A line about some weeks."""
    plain = [one for one in found if not one.relaxed and one.bare > 0]
    seconds, bare = (sum(getattr(one, name) for one in plain) / len(plain) for name in ("seconds", "bare"))
    return (
        f"{len(found)} weeks, {len(found) - len([x for x in found if not x.relaxed])} relaxed; relative gap at most "
        f"{max(one.gap for one in found):.1e}, violation at most {max(one.violation for one in found):.1e}; "
        f"{seconds:.3f} CPU-s a week without relaxation, Clarabel alone {bare:.3f}: {seconds / bare:.2f} times"
    )


def main() -> None:
    """Solve and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=200)
    weeks = parser.parse_args().weeks
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.uniform(np.log(500), np.log(5000), weeks)).astype(int)
    print(said([solve(int(n), seed, float(rng.uniform(0.3, 0.95))) for seed, n in enumerate(sizes)]), flush=True)
    print("5,000 stocks:", said([solve(5000, 1000 + k, 0.7) for k in range(max(weeks // 10, 3))]))


if __name__ == "__main__":
    main()
