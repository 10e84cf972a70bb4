"""One rebalance's linear program by cvxpy: its default solver, Clarabel and HiGHS.

In an environment of its own, from the root of the checkout::

    make peers
    PYTHONPATH=src .peers/cvxpy/bin/python -m benchmarks.peers.programs [STOCKS] [ROUNDS]

A month (four weeks) is solved by each; printed are the largest relative difference of the objective and of a weight,
then CPU seconds a rebalance, interleaved, median, and theirs over ours; last the seconds of all rounds as JSON. Each
way starts from the same facts: cvxpy's problem is written as one would write it, in weights. Exit code 1 where
Clarabel's objective is off by more than 1e-4, HiGHS' by more than 1e-7, or cvxpy's default is less than 8 times slower.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import cvxpy
import numpy as np

from benchmarks.timing import compare, interleave
from benchmarks.weeks import week
from deepfactor.core.arrays import Float64
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.problem import Bounds, Rebalance, Rows

WEEKS = 4
#: Solver → what its objective may differ by, relatively. None = whatever cvxpy takes.
SOLVERS: dict[str, tuple[str | None, float]] = {
    "cvxpy, default": (None, 1e-4),
    "cvxpy, Clarabel": (cvxpy.CLARABEL, 1e-4),
    "cvxpy, HiGHS": (cvxpy.HIGHS, 1e-7),
}


def by_cvxpy(enhancer: IndexEnhancer, r: Rebalance, solver: str | None) -> tuple[float, Float64, str]:
    """Objective, weights, and the solver that was used."""
    floor, ceiling = np.where(r.frozen, r.previous, 0.0), np.where(r.buyable, 1.0, r.previous)
    w = cvxpy.Variable(len(r))
    held = [w >= floor, w <= ceiling, cvxpy.sum(w) == 1.0 - enhancer.settings.cash]
    for x in enhancer.limits(r):
        if isinstance(x, Bounds):
            held.append(w >= np.minimum(x.reference + x.lower, ceiling))
            held.append(w <= np.maximum(x.reference + x.upper, floor))
        elif isinstance(x, Rows) and x.origin is not None:
            held.append(x.coefficients @ cvxpy.abs(w - x.origin) <= x.reference + x.upper)
        else:
            for limit, sign in ((x.upper, 1.0), (-x.lower, -1.0)):
                finite = np.isfinite(limit)
                held.append(sign * (x.coefficients[finite] @ w) <= limit[finite] + sign * x.reference[finite])
    problem = cvxpy.Problem(cvxpy.Maximize(r.score @ w), held)
    problem.solve(solver=solver)
    if problem.status != cvxpy.OPTIMAL:
        raise AssertionError(f"cvxpy ended with {problem.status}")
    return float(problem.value), np.asarray(w.value), str(problem.solver_stats.solver_name)


def main(stocks: int, rounds: int) -> int:
    """Compare, then time the last week."""
    failed = False
    weeks = [week(stocks, seed=seed) for seed in range(WEEKS)]
    targets = [enhancer.solve(r) for enhancer, r in weeks]
    for name, (solver, allowed) in SOLVERS.items():
        found = [by_cvxpy(enhancer, r, solver) for enhancer, r in weeks]
        objective = max(abs(f[0] - t.objective) / abs(t.objective) for f, t in zip(found, targets, strict=True))
        weight = max(float(np.abs(f[1] - t.weights).max()) for f, t in zip(found, targets, strict=True))
        failed |= objective > allowed
        print(f"{name} ({found[0][2]}): objective off by {objective:.1e}, a weight by {weight:.1e}; {WEEKS} weeks")
    enhancer, r = weeks[-1]
    ways: dict[str, Callable[[], object]] = {"ours": lambda: enhancer.solve(r)}
    ways |= {name: lambda s=solver: by_cvxpy(enhancer, r, s) for name, (solver, _) in SOLVERS.items()}
    times = interleave(ways, rounds)
    for name in SOLVERS:
        line = compare("LP", f"{stocks} stocks", times["ours"], name, times[name])
        print(f"{line.size}: ours {line.ours:.4f} s, {name} {line.seconds:.4f} s, ratio {line.ratio:.1f}")
        failed |= name == "cvxpy, default" and (line.ratio or 0.0) < 8.0
    print(json.dumps(times))
    return int(failed)


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    sys.exit(main(*(given + [5000, 5][len(given) :])))
