"""One rebalance's linear program: the enhancer against bare highspy and `scipy.optimize.linprog`.

``python -m benchmarks.programs --weeks 200`` compares objectives with `linprog`'s over random weeks of 500 to 5000
stocks, and fails where they differ by more than 1e-7.
"""

from __future__ import annotations

import argparse
from typing import Any

import highspy
import numpy as np

from benchmarks.timing import Line, compare, interleave
from benchmarks.weeks import PlainProgram, agreement, plain_program, random_weeks, week
from deepfactor.portfolio._assembly import assemble, build_model
from deepfactor.portfolio._lp import _OPTIONS, LinearProgram, Optimum, solve_lp

STOCKS, ROUNDS = (1250, 5000), 7
#: What `linprog`'s objective may differ by, relatively.
AGREEMENT = 1e-7


def measure() -> list[Line]:
    """Lines of both sizes; every way's objective is compared before it is timed."""
    return [line for n in STOCKS for line in _measure(n)]


def _measure(n: int) -> list[Line]:
    """Bare highspy has the plain program's arrays ready and reads one number; ours starts from the day's facts, finds
    the program, checks the answer, and says what binds."""
    enhancer, moved = week(n)
    plain = plain_program(enhancer, moved)
    model = build_model(moved, 1.0 - enhancer.settings.cash, enhancer.limits(moved))
    lp = assemble(model).lp
    ways = {
        "ours": lambda: enhancer.solve(moved).objective,
        "highspy, our options": lambda: _highspy(plain, _OPTIONS),
        "highspy, its defaults": lambda: _highspy(plain, {"output_flag": False, "threads": 1}),
        "highspy, our options, our arrays": lambda: _objective(lp) + float(moved.score @ model.origin),
        "scipy linprog": lambda: plain.objective(plain.linprog().fun),
    }
    expected = ways["ours"]()
    for way, solve in ways.items():
        if abs(solve() - expected) > AGREEMENT * abs(expected):
            raise AssertionError(f"{way}: objective {solve()!r}, ours {expected!r}")
    times = interleave(ways, ROUNDS, warm_up=False)
    targets = dict.fromkeys(("highspy, our options", "highspy, its defaults"), "≥ 0.87 (ours ≤ highspy + 15 %)")
    what = f"LP of one rebalance ({len(plain.row_lower)} rows, {len(plain.cost)} columns)"
    return [
        compare(what, f"{n} stocks", times["ours"], way, times[way], targets.get(way, ""))
        for way in ways
        if way != "ours"
    ]


def _objective(lp: LinearProgram) -> float:
    outcome = solve_lp(lp)
    if not isinstance(outcome, Optimum):
        raise AssertionError("the program is infeasible")
    return outcome.objective


def _highspy(plain: PlainProgram, options: dict[str, Any]) -> float:
    """The plain program solved cold, handed over as arrays."""
    solver: Any = highspy.Highs()
    for name, value in options.items():
        solver.setOptionValue(name, value)
    solver.passModel(
        len(plain.cost),
        len(plain.row_lower),
        plain.matrix.nnz,
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        0.0,
        plain.cost,
        plain.lower,
        plain.upper,
        plain.row_lower,
        plain.row_upper,
        plain.matrix.indptr,
        plain.matrix.indices,
        plain.matrix.data,
        np.zeros(len(plain.cost), dtype=np.int32),
    )
    solver.run()
    return plain.objective(float(solver.getInfo().objective_function_value))


def main() -> None:
    """Print how far ours and `linprog` are apart over random weeks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=200)
    found = agreement(random_weeks(parser.parse_args().weeks))
    worst = max(found.differences)
    print(
        f"{len(found.differences)} feasible weeks: objective against linprog, relative: worst {worst:.1e}, median "
        f"{np.median(found.differences):.1e}; {found.infeasible} infeasible, {found.split} called so by one alone"
    )
    raise SystemExit(worst > AGREEMENT or found.split > 0)


if __name__ == "__main__":
    main()
