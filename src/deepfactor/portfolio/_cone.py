"""A program with risk as a cone program, and its solution by Clarabel.

Exposures are columns of their own, e = X (start + purchases − sales): X is almost empty but for the styles, and rows
that limit an exposure become bounds on one column. With X's product with the root of the factors' covariance in their
place, whose rows are full, the same solution takes seven times as long. Clarabel: Goulart, Chen, 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import clarabel
import numpy as np
from scipy import sparse

from deepfactor.core.arrays import Float64, Indices
from deepfactor.portfolio._lp import Infeasible, LinearProgram, Optimum
from deepfactor.portfolio._risk_term import RiskTerm
from deepfactor.portfolio._screening import first_columns, missing, restricted, widened
from deepfactor.portfolio._sharpening import Found, sharpened
from deepfactor.portfolio.problem import SolverError

#: What Clarabel is asked for: the second where the first is too rough to tell what is at its bound.
_TOLERANCES = (1e-9, 1e-11)
#: A gap that is good enough, beside an objective of the size of a z-score.
_ENOUGH = 1e-9
_SOLVED = ("Solved", "AlmostSolved")


@dataclass(frozen=True)
class _Conic:
    """Minimise ½ zᵀPz + qᵀz over z = (columns, exposures), A z + s = b, s in the cones; duals by `rows` and `place`.

    `rows`: (row, first dual, its sign) of each block of dual numbers that belong to rows of the linear program.
    `cone`: where the second-order cone begins; None without one.
    """

    P: sparse.csc_array
    q: Float64
    A: sparse.csc_array
    b: Float64
    cones: list[object]
    rows: tuple[tuple[Indices, int, float], ...]
    cone: int | None


def solve_cone(lp: LinearProgram, risk: RiskTerm, linear: Optimum | None = None) -> Optimum | Infeasible:
    """Solve cold, on one thread: the same program gives the same bits. The linear part must be feasible; `linear` is
    its optimum, if that is known.

    Raises
    ------
    SolverError
        Clarabel ends without an optimum though there are solutions.
    """
    kept, iterations = first_columns(lp, risk, linear), 0
    while True:
        columns = np.flatnonzero(kept)
        found, spent, status = _solved(*restricted(lp, risk, columns))
        iterations += spent
        if found is not None:
            found = widened(lp, found, columns)
            more = missing(lp, risk, found, kept)
            if not more.any():
                return _optimum(lp, risk, found, iterations)
            kept |= more
            continue
        if risk.limit is None or risk.slack is not None:
            failed: str | None = f"Clarabel ended with {status}, wanted an optimum"
        else:
            least = least_risk(lp, risk)
            iterations += least.iterations
            if least.objective <= -risk.limit:
                priced = np.flatnonzero(np.abs(least.row_price) > 1e-6 * np.abs(least.row_price).max(initial=0.0))
                return Infeasible(priced, iterations, by_risk=True)
            failed = f"Clarabel ended with {status}, though a tracking error within the limit exists"
        if kept.all():
            raise SolverError(failed)
        kept[:] = True


def _solved(lp: LinearProgram, risk: RiskTerm) -> tuple[Found | None, int, str]:
    """The best that Clarabel and Newton find, None = nothing; iterations; how Clarabel ended."""
    conic, iterations, status = _conic(lp, risk), 0, ""
    best: tuple[Found, float] | None = None
    for tolerance in _TOLERANCES:
        solution = _run(conic, tolerance)
        iterations, status = iterations + int(solution.iterations), str(solution.status)
        if status in _SOLVED:
            found, gap = sharpened(lp, risk, _found(lp, conic, solution))
            best = (found, gap) if best is None or gap < best[1] else best
            if gap < _ENOUGH:
                break
        elif best is None:
            break
    return None if best is None else best[0], iterations, status


def least_risk(lp: LinearProgram, risk: RiskTerm) -> Optimum:
    """The least tracking error under the linear part alone, as minus the objective; its rows' prices say what holds it
    up."""
    columns = len(lp.cost)
    cost = np.zeros(columns + 1)
    cost[-1] = -1.0
    program = LinearProgram(
        cost,
        np.append(lp.lower, 0.0),
        np.append(lp.upper, np.inf),
        sparse.csc_array(sparse.hstack([lp.matrix, sparse.csc_array((lp.matrix.shape[0], 1))])),
        lp.row_lower,
        lp.row_upper,
    )
    # Weights are a thousandth of the deviation: a limit of 0 with slack alone.
    term = replace(risk, limit=0.0, slack=columns, aversion=0.0)
    outcome = solve_cone(program, term)
    assert isinstance(outcome, Optimum)  # any portfolio does
    return outcome


def _run(conic: _Conic, tolerance: float) -> clarabel.DefaultSolution:
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
    return clarabel.DefaultSolver(conic.P, conic.q, conic.A, conic.b, conic.cones, settings).solve()


def _conic(lp: LinearProgram, risk: RiskTerm) -> _Conic:
    """The program in Clarabel's form."""
    columns, k = len(lp.cost), len(risk.forecast.factors)
    traded = risk.traded(columns)
    exposures = sparse.csc_array(risk.forecast.exposures)
    before = risk.forecast.exposures @ risk.start
    rows, constant = _rows(lp, risk, before)
    eye, none = sparse.eye_array(k, format="csr"), sparse.csr_array((columns, k))
    fixed = np.flatnonzero(lp.row_lower == lp.row_upper)
    above = np.flatnonzero(np.isfinite(lp.row_upper) & (lp.row_lower != lp.row_upper))
    below = np.flatnonzero(np.isfinite(lp.row_lower) & (lp.row_lower != lp.row_upper))
    most, least = np.flatnonzero(np.isfinite(lp.upper)), np.flatnonzero(np.isfinite(lp.lower))
    single = sparse.hstack([sparse.eye_array(columns, format="csr"), none], format="csr")
    blocks = [
        (sparse.hstack([exposures @ traded, -eye], format="csr"), -before),
        (rows[fixed], lp.row_upper[fixed] + constant[fixed]),
        (rows[above], lp.row_upper[above] + constant[above]),
        (-rows[below], -lp.row_lower[below] - constant[below]),
        (single[most], lp.upper[most]),
        (-single[least], -lp.lower[least]),
    ]
    equal, inside = k + len(fixed), len(above) + len(below) + len(most) + len(least)
    cones: list[object] = [clarabel.ZeroConeT(equal), clarabel.NonnegativeConeT(inside)]
    if risk.limit is not None:
        blocks.append(_deviation(risk, traded, columns))
        cones.append(clarabel.SecondOrderConeT(len(blocks[-1][1])))
    return _Conic(
        P=_variance(risk, traded, columns),
        q=np.concatenate([_linear(lp, risk, traded), np.zeros(k)]),
        A=sparse.csc_array(sparse.vstack([block for block, _ in blocks], format="csc")),
        b=np.concatenate([values for _, values in blocks]),
        cones=cones,
        rows=((fixed, k, 1.0), (above, equal, 1.0), (below, equal + len(above), -1.0)),
        cone=None if risk.limit is None else equal + inside,
    )


def _rows(lp: LinearProgram, risk: RiskTerm, before: Float64) -> tuple[sparse.csr_array, Float64]:
    """Rows over (columns, exposures), those that are an exposure by it alone, and what is added to their limits."""
    height, k = lp.matrix.shape[0], len(risk.forecast.factors)
    constant, kept = np.zeros(height), np.ones(height)
    link = np.array(risk.same, dtype=np.intp).reshape(-1, 2)
    kept[link[:, 0]] = 0.0
    constant[link[:, 0]] = before[link[:, 1]]
    names = len(risk.buys) + len(risk.sells)
    matrix = sparse.csr_array(lp.matrix)
    parts = [sparse.diags_array(kept) @ matrix[:, :names], matrix[:, names:]]
    exposed = sparse.csr_array((np.ones(len(link)), (link[:, 0], link[:, 1])), shape=(height, k))
    return sparse.csr_array(sparse.hstack([*parts, exposed], format="csr")), constant


def _deviation(risk: RiskTerm, traded: sparse.csc_array, columns: int) -> tuple[sparse.csr_array, Float64]:
    """The cone's block: limit + slack ≥ ‖(root of F) e, √d × active‖; names that can't be traded are one number."""
    k = len(risk.forecast.factors)
    values, vectors = np.linalg.eigh(risk.forecast.covariance)
    root = (np.sqrt(np.maximum(values, 0.0)) * vectors).T
    deviation = np.sqrt(risk.forecast.specific)
    movable = np.zeros(len(risk.start), dtype=bool)
    movable[risk.buys] = movable[risk.sells] = True
    at = np.flatnonzero(movable)
    still = float(np.sqrt(((deviation * risk.start)[~movable] ** 2).sum()))
    top = sparse.lil_array((1, columns + k))
    if risk.slack is not None:
        top[0, risk.slack] = -1.0
    own = sparse.diags_array(deviation[at]) @ sparse.csr_array(traded)[at]
    block = sparse.vstack(
        [
            sparse.csr_array(top),
            sparse.hstack([sparse.csr_array((k, columns)), sparse.csr_array(-root)]),
            sparse.hstack([-own, sparse.csr_array((len(at), k))]),
            sparse.csr_array((1, columns + k)),
        ],
        format="csr",
    )
    assert risk.limit is not None
    return block, np.concatenate([[risk.limit], np.zeros(k), (deviation * risk.start)[at], [still]])


def _variance(risk: RiskTerm, traded: sparse.csc_array, columns: int) -> sparse.csc_array:
    """P: twice the aversion × (specific variance of trades, covariance of exposures), its upper triangle."""
    k = len(risk.forecast.factors)
    if risk.aversion == 0:
        return sparse.csc_array((columns + k, columns + k))
    specific = traded.T @ sparse.diags_array(risk.forecast.specific) @ traded
    whole = sparse.block_diag([specific, sparse.csr_array(risk.forecast.covariance)], format="csc")
    return sparse.csc_array(sparse.triu(2.0 * risk.aversion * whole, format="csc"))


def _linear(lp: LinearProgram, risk: RiskTerm, traded: sparse.csc_array) -> Float64:
    """q of the columns: minus the objective, and what the active weights before any trade make of the variance."""
    return np.asarray(-lp.cost + traded.T @ (2.0 * risk.aversion * risk.forecast.specific * risk.start))


def _found(lp: LinearProgram, conic: _Conic, solution: clarabel.DefaultSolution) -> Found:
    """The solution in the program's terms."""
    x, z = (np.array(values, dtype=np.float64) for values in (solution.x, solution.z))
    price = np.zeros(len(lp.row_lower))
    for rows, first, sign in conic.rows:
        price[rows] += sign * z[first : first + len(rows)]
    columns = np.clip(x[: len(lp.cost)], lp.lower, lp.upper)
    return Found(columns, price, 0.0 if conic.cone is None else float(z[conic.cone]))


def _optimum(lp: LinearProgram, risk: RiskTerm, found: Found, iterations: int) -> Optimum:
    charged = risk.aversion * risk.forecast.variance(risk.active(found.x)) if risk.aversion else 0.0
    return Optimum(found.x, found.price, float(lp.cost @ found.x) - charged, iterations, found.risk_price)


def same_rows(coefficients: Sequence[Float64], forecast_exposures: Float64) -> list[int | None]:
    """For each row of coefficients (n,) the factor whose exposures they are; None = of none."""
    factors = {row.tobytes(): k for k, row in reversed(list(enumerate(forecast_exposures)))}
    return [factors.get(np.ascontiguousarray(row, dtype=np.float64).tobytes()) for row in coefficients]
