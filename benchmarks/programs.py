"""One rebalance's linear program: the enhancer against bare highspy and `scipy.optimize.linprog` on the same arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import highspy
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from benchmarks.timing import Line, compare, interleave
from deepfactor.portfolio._assembly import assemble, build_model
from deepfactor.portfolio._lp import LinearProgram, Optimum, solve_lp
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import load_preset
from deepfactor.portfolio.problem import Rebalance

STOCKS, MEMBERS, INDUSTRIES, ROUNDS = (1250, 5000), 500, 30, 7


def week(n: int) -> tuple[IndexEnhancer, Rebalance]:
    """Study B's constraints on the second week of a book: last week's optimum, drifted, and a score that moved on."""
    rng = np.random.default_rng(0)
    member = np.arange(n) < min(MEMBERS, n // 2)
    benchmark = np.where(member, rng.lognormal(0.0, 0.7, n), 0.0)
    score = rng.standard_normal(n)
    nothing, everything = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
    first = Rebalance(
        date=np.datetime64("2020-01-03"),
        symbols=np.array([f"{600000 + i}.SH" for i in range(n)]),
        score=score,
        previous=np.zeros(n),
        benchmark=benchmark / benchmark.sum(),
        frozen=nothing,
        buyable=everything,
        member=member,
        industry=rng.integers(0, INDUSTRIES, n),
        styles={"SIZE": rng.standard_normal(n) + member},
        first=True,
    )
    preset = load_preset("study_b")
    enhancer = IndexEnhancer(preset)
    target = enhancer.solve(first).weights
    book = target * np.exp(0.03 * rng.standard_normal(n))
    frozen = rng.random(n) < 0.02
    moved = replace(
        first,
        date=np.datetime64("2020-01-10"),
        score=0.9 * score + np.sqrt(1 - 0.81) * rng.standard_normal(n),
        previous=(1 - preset.cash) * book / book.sum(),
        previous_target=target,
        frozen=frozen,
        buyable=~frozen & (rng.random(n) > 0.03),
        first=False,
    )
    return enhancer, moved


def measure() -> list[Line]:
    """Lines of both sizes; every way's objective is compared before it is timed."""
    return [line for n in STOCKS for line in _measure(n)]


def _measure(n: int) -> list[Line]:
    enhancer, moved = week(n)
    model = build_model(moved, 1.0 - enhancer.settings.cash, enhancer.limits(moved))
    lp = assemble(model).lp
    ways = {
        "ours": lambda: enhancer.solve(moved).objective,
        "highspy, our options": lambda: _objective(lp) + float(moved.score @ model.origin),
        "highspy, its defaults": _with_defaults(lp, float(moved.score @ model.origin)),
        "scipy linprog": _scipy(lp, float(moved.score @ model.origin)),
    }
    expected = ways["ours"]()
    for way, solve in ways.items():
        if abs(solve() - expected) > 1e-7 * abs(expected):
            raise AssertionError(f"{way}: objective {solve()!r}, ours {expected!r}")
    times = interleave(ways, ROUNDS, warm_up=False)
    targets = {"highspy, our options": "≥ 0.87 (ours ≤ highspy + 15 %)"}
    what = f"LP of one rebalance ({len(lp.row_lower)} rows, {len(lp.cost)} columns)"
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


def _with_defaults(lp: LinearProgram, constant: float) -> Callable[[], float]:
    """HiGHS as it comes: presolve, its own choice of method; one thread, silent."""

    def solve() -> float:
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = len(lp.cost), len(lp.row_lower)
        program.sense_ = highspy.ObjSense.kMaximize
        program.col_cost_, program.col_lower_, program.col_upper_ = lp.cost, lp.lower, lp.upper
        program.row_lower_, program.row_upper_ = lp.row_lower, lp.row_upper
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_, program.a_matrix_.index_ = lp.matrix.indptr, lp.matrix.indices
        program.a_matrix_.value_ = lp.matrix.data
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.passModel(program)
        solver.run()
        return float(solver.getInfo().objective_function_value) + constant

    return solve


def _scipy(lp: LinearProgram, constant: float) -> Callable[[], float]:
    """The same rows as scipy wants them: equalities apart, a row with two sides twice."""
    equal = lp.row_lower == lp.row_upper
    above, below = np.isfinite(lp.row_upper) & ~equal, np.isfinite(lp.row_lower) & ~equal
    rows = lp.matrix.tocsr()
    inequality = sparse.vstack([rows[above], -rows[below]], format="csc")
    limit = np.concatenate([lp.row_upper[above], -lp.row_lower[below]])
    equality, value = rows[equal].tocsc(), lp.row_upper[equal]
    bounds = np.stack([lp.lower, lp.upper], axis=1)

    def solve() -> float:
        found = linprog(-lp.cost, A_ub=inequality, b_ub=limit, A_eq=equality, b_eq=value, bounds=bounds, method="highs")
        return -float(found.fun) + constant

    return solve
