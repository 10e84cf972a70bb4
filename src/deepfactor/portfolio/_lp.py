"""A linear program as arrays, its solution by HiGHS, and a proof of the solution that does not trust HiGHS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from deepfactor.core.arrays import Float64, Indices
from deepfactor.portfolio._risk_term import RiskTerm
from deepfactor.portfolio.problem import SolverError

# highspy's stubs lack what its binary has (`getDualRay`).
_Highs: Any = highspy.Highs

_FEASIBLE = 1e-9

# One thread and a fixed seed: the same input gives the same vertex. Dual simplex without presolve: these programs
# have many columns and few rows, and presolve costs more than it saves (it also hides the ray of an infeasible one).
# Unscaled: weights and z-scores are of one size, so scaling only costs a third more, and tolerances hold as they are.
_OPTIONS: dict[str, bool | int | float | str] = {
    "output_flag": False,
    "threads": 1,
    "parallel": "off",
    "random_seed": 0,
    "solver": "simplex",
    "simplex_strategy": 1,
    "simplex_scale_strategy": 0,
    "presolve": "off",
    "primal_feasibility_tolerance": _FEASIBLE,
    "dual_feasibility_tolerance": 1e-9,
}


@dataclass(frozen=True)
class LinearProgram:
    """Maximise cost @ x subject to row_lower <= A x <= row_upper, lower <= x <= upper; A sparse by columns.

    `risk`: what makes it curved; `solve_lp` looks at the rest alone.
    """

    cost: Float64
    lower: Float64
    upper: Float64
    matrix: sparse.csc_array
    row_lower: Float64
    row_upper: Float64
    risk: RiskTerm | None = None


@dataclass(frozen=True)
class Optimum:
    """x (columns,), prices of the rows (d objective / d bound) and of the tracking error's limit, the objective."""

    x: Float64
    row_price: Float64
    objective: float
    iterations: int
    risk_price: float = 0.0


@dataclass(frozen=True)
class Infeasible:
    """No x exists. `rows`: those of a Farkas ray, which can't hold within the columns' bounds (none: bounds cross).

    `by_risk`: the linear part has solutions; the rows are those that keep the tracking error above its limit.
    """

    rows: Indices
    iterations: int
    by_risk: bool = False


def solve_lp(lp: LinearProgram) -> Optimum | Infeasible:
    """Solve cold.

    Raises
    ------
    SolverError
        any end but an optimum or a proof of infeasibility.
    """
    if np.any(lp.lower > lp.upper):
        return Infeasible(np.empty(0, dtype=np.intp), 0)
    if not len(lp.cost):
        return _without_columns(lp)
    solver = _Highs()
    for name, value in _OPTIONS.items():
        solver.setOptionValue(name, value)
    _pass(solver, lp)
    solver.run()
    status, iterations = solver.getModelStatus(), int(solver.getInfo().simplex_iteration_count)
    if status == highspy.HighsModelStatus.kInfeasible:
        _, exists, ray = solver.getDualRay()
        if not exists:
            raise SolverError("HiGHS calls the program infeasible but gives no ray to prove it")
        size = np.abs(np.asarray(ray, dtype=np.float64))
        return Infeasible(np.flatnonzero(size > 1e-9 * size.max(initial=0.0)), iterations)
    if status != highspy.HighsModelStatus.kOptimal:
        raise SolverError(f"HiGHS ended with {solver.modelStatusToString(status)}, wanted an optimum")
    solution = solver.getSolution()
    x = np.array(solution.col_value, dtype=np.float64)
    return Optimum(x, np.array(solution.row_dual, dtype=np.float64), float(lp.cost @ x), iterations)


def _without_columns(lp: LinearProgram) -> Optimum | Infeasible:
    """Nothing can be traded, so every row is 0 (HiGHS has no answer to a program without columns)."""
    broken = np.flatnonzero((lp.row_lower > _FEASIBLE) | (lp.row_upper < -_FEASIBLE))
    return Infeasible(broken[:1], 0) if len(broken) else Optimum(lp.cost, np.zeros_like(lp.row_lower), 0.0, 0)


def _pass(solver: Any, lp: LinearProgram) -> None:
    """Hand the whole program over in one call."""
    columns, rows = len(lp.cost), len(lp.row_lower)
    continuous = np.zeros(columns, dtype=np.int32)
    status = solver.passModel(
        columns,
        rows,
        lp.matrix.nnz,
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMaximize),
        0.0,
        lp.cost,
        lp.lower,
        lp.upper,
        lp.row_lower,
        lp.row_upper,
        lp.matrix.indptr.astype(np.int32, copy=False),
        lp.matrix.indices.astype(np.int32, copy=False),
        lp.matrix.data,
        continuous,
    )
    if status != highspy.HighsStatus.kOk:
        raise SolverError(f"HiGHS does not take the program: {status}")


def certificate(lp: LinearProgram, optimum: Optimum) -> tuple[float, float]:
    """(dual residual, gap): how far the prices are from a proof of the optimum, and what the proof leaves open.

    For any y, max cost @ x <= sum_i max(y_i L_i, y_i U_i) + sum_j max(d_j l_j, d_j u_j) with d = cost - Aᵀ y
    (Lagrangian bound). A price on a side without limit is set to 0 first; its size is the dual residual. The gap is
    the bound less the objective reached. Columns must be bounded on both sides.
    """
    y = optimum.row_price
    wrong = ((y > 0) & np.isinf(lp.row_upper)) | ((y < 0) & np.isinf(lp.row_lower))
    residual = float(np.abs(y[wrong]).max(initial=0.0))
    y = np.where(wrong, 0.0, y)
    d = lp.cost - lp.matrix.T @ y
    side = np.where(y > 0, lp.row_upper, lp.row_lower)
    rows = float(np.where(y == 0, 0.0, y * np.where(np.isinf(side), 0.0, side)).sum())
    columns = float(np.where(d > 0, d * lp.upper, d * lp.lower).sum())
    return residual, rows + columns - optimum.objective
