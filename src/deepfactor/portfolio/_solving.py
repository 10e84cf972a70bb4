"""The solver that a program wants: HiGHS where it is linear, Clarabel where risk makes it curved."""

from __future__ import annotations

import numpy as np

from deepfactor.portfolio._cone import solve_cone
from deepfactor.portfolio._lp import Infeasible, LinearProgram, Optimum, solve_lp


def solve(lp: LinearProgram) -> Optimum | Infeasible:
    """Solve cold.

    A program that is only limited in its tracking error is solved without that limit first: where the answer keeps it,
    it is the answer, bit for bit that of the linear program; where there is none, a linear proof says why.

    Raises
    ------
    SolverError
        any end but an optimum or a proof of infeasibility.
    """
    risk = lp.risk
    if risk is None or (risk.limit is None and risk.aversion == 0):
        return solve_lp(lp)
    linear = solve_lp(lp)
    if isinstance(linear, Infeasible):
        return linear
    if (risk.aversion == 0 or not len(lp.cost)) and risk.kept(linear.x, 0.0):
        return linear
    if not len(lp.cost):  # nothing can be traded
        return Infeasible(np.empty(0, dtype=np.intp), linear.iterations, by_risk=True)
    return solve_cone(lp, risk, linear)
