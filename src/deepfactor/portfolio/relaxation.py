"""What to do when no portfolio keeps every limit: name the rows in conflict, then let as little give way as possible.

Families give way in the recipe's order. The first k families of the order are made elastic, with the smallest k that
admits a portfolio; then the total violation of each is minimised in turn, the last (most reluctant) first, each held
to its minimum for the next. Within these totals the score is maximised, so the outcome does not hang on which of many
least relaxations the solver meets first. Weights and exposures are never added up: a family has one unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepfactor.portfolio._assembly import Assembly, Model, assemble, feasibility
from deepfactor.portfolio._lp import Infeasible, LinearProgram
from deepfactor.portfolio._solving import solve
from deepfactor.portfolio.problem import InfeasibleError, SolverError

#: Added to each least total before it becomes a cap, so that the next program is feasible within rounding.
CAP_MARGIN = 1e-8
#: The same for a curved program, in which an interior point has to find room: a hundredth of a percent of the book, or
#: of tracking error a year. With 1e-6 one in fifty such days could not be proved.
CURVED_MARGIN = 1e-4


@dataclass(frozen=True)
class Relaxed:
    """The elastic program with its families' least totals as caps, and what it took to find them."""

    assembly: Assembly
    lp: LinearProgram
    conflict: tuple[tuple[str, str], ...]
    iterations: int


def relax(model: Model, hard: Assembly, failed: Infeasible, order: Sequence[str]) -> Relaxed:
    """Relax an infeasible `hard` program by the least, in `order`.

    Raises
    ------
    InfeasibleError
        infeasible with all families of `order` elastic; names the rows in conflict.
    """
    conflict, iterations = find_conflict(model, hard, failed)
    families = {limits.family for limits in model.limits}
    present = [family for family in order if family in families]
    for k in range(1, len(present) + 1):
        assembly = assemble(model, tuple(present[:k]))
        caps: dict[str, float] = {}
        margin = CAP_MARGIN if assembly.lp.risk is None else CURVED_MARGIN
        for family in reversed(present[:k]):
            outcome = solve(assembly.least(family, caps))
            iterations += outcome.iterations
            if isinstance(outcome, Infeasible):
                break
            caps[family] = max(-outcome.objective, 0.0) + margin
        else:
            return Relaxed(assembly, assembly.capped(caps), conflict, iterations)
        if caps:
            raise SolverError(f"the least violation of {', '.join(caps)} can't be reached a second time")
    raise InfeasibleError(_message(model, conflict, order), conflict)


def solvable(model: Model) -> tuple[bool, int]:
    """Is there a portfolio that keeps every limit, whatever its score? And iterations spent."""
    if _crossing(model):
        return False, 0
    outcome = solve(feasibility(assemble(model).lp))
    return not isinstance(outcome, Infeasible), outcome.iterations


def _message(model: Model, conflict: Sequence[tuple[str, str]], order: Sequence[str]) -> str:
    r = model.r
    rows = ", ".join(f"{constraint} ({row})" for constraint, row in conflict[:12])
    more = f" and {len(conflict) - 12} more" if len(conflict) > 12 else ""
    return (
        f"no portfolio on {r.date}: these can't hold together: {rows}{more}, with {int(r.frozen.sum())} frozen and "
        f"{int((~r.buyable & ~r.frozen).sum())} sell-only names of {len(r)}. relax_order allows "
        f"{', '.join(order) or 'nothing'}, which is not enough: widen one of the limits or allow its family"
    )


def find_conflict(model: Model, hard: Assembly, failed: Infeasible) -> tuple[tuple[tuple[str, str], ...], int]:
    """A smallest set of rows that can't hold together (an irreducible infeasible subsystem), and iterations spent.

    The rows of the Farkas ray can't hold together; each is dropped in turn, and stays out if the rest still can't
    (deletion filter; Chinneck, Feasibility and Infeasibility in Optimization, 2008). HiGHS' own `getIis` asks the same
    of every column and takes minutes at 5000 names. Bounds on single names count as one row a constraint.
    """
    crossing = _crossing(model)
    if crossing:
        return crossing, 0
    of_risk = (
        [] if model.deviation is None or not failed.by_risk else [(model.deviation.name, model.deviation.label(0))]
    )
    if not of_risk:  # the linear part alone can't hold
        model = replace(model, deviation=None)
        hard = replace(hard, lp=replace(hard.lp, risk=None))
    lp, kept, iterations = hard.lp, set(failed.rows.tolist()), 0

    def holds(program: LinearProgram) -> bool:
        nonlocal iterations
        outcome = solve(program)
        iterations += outcome.iterations
        return not isinstance(outcome, Infeasible)

    if holds(_only(lp, kept)):  # a ray's smallest entries can matter: start from all rows
        kept = set(range(len(hard.owners)))
    loose = assemble(replace(model, bounds=())).lp
    bounds = [(x.name, "names") for x in model.bounds] if holds(_only(loose, kept)) else []
    if not bounds:
        lp = loose
    for row in sorted(kept, reverse=True):
        if not holds(_only(lp, kept - {row})):
            kept.discard(row)
    named = [("budget", "sum of weights") if (o := hard.owners[i]) is None else (o[0].name, o[0].label(o[1]))
             for i in sorted(kept)]  # fmt: skip
    return tuple(of_risk + named + bounds), iterations


def _only(lp: LinearProgram, rows: set[int]) -> LinearProgram:
    """The program with every other row free, and nothing to optimise."""
    free = np.ones(len(lp.row_lower), dtype=bool)
    free[list(rows)] = False
    return replace(
        feasibility(lp),
        row_lower=np.where(free, -np.inf, lp.row_lower),
        row_upper=np.where(free, np.inf, lp.row_upper),
    )


def _crossing(model: Model) -> tuple[tuple[str, str], ...]:
    """Bounds of several constraints that leave a name no weight at all."""
    lower, upper = model.box()
    names = np.flatnonzero(lower > upper)
    return tuple(
        (bound.name, bound.label(k))
        for k in names.tolist()
        for bound in model.bounds
        if np.isfinite(bound.lower[k]) or np.isfinite(bound.upper[k])
    )
