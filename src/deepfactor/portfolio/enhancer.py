"""`IndexEnhancer`: a day's facts in, the weights with the best score that keep every constraint out.

Maximise sum(score * w) subject to w >= 0, sum(w) = 1 - cash (unless a cash band says otherwise; the nearest to it where
names that can't be traded leave no choice), frozen names at their drifted weight, names that are not buyable not above
theirs, and the constraints of the settings: a linear program, solved cold by HiGHS in buys and sells; by Clarabel where
the tracking error's limit binds or variance has a price. The optimum is checked here again, from the weights and from
the duals; what a solver says is not enough.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from deepfactor.core.arrays import Float64
from deepfactor.core.errors import DataError
from deepfactor.core.kind import wrong
from deepfactor.core.spec import Spec
from deepfactor.portfolio._assembly import Assembly, Model, assemble, build_model, linearised
from deepfactor.portfolio._lp import Infeasible, Optimum, certificate
from deepfactor.portfolio._solving import solve
from deepfactor.portfolio.constraints.base import ROOM, Constraint, LooksAgain
from deepfactor.portfolio.problem import (
    TOLERANCE,
    Binding,
    Bounds,
    InfeasibleError,
    Limit,
    Rebalance,
    Relaxation,
    SolverError,
    Target,
)
from deepfactor.portfolio.relaxation import CAP_MARGIN, Relaxed, relax, solvable

DEFAULT_RELAX_ORDER = ("turnover", "style", "industry", "constituents", "stock")

#: Constraint and row of the sum of weights.
BUDGET = ("budget", "sum of weights")
#: A violation above this is recorded as a relaxation: twice what the caps leave open, a fifth of `TOLERANCE`.
RECORDED = 2 * CAP_MARGIN
#: What a curved program's proof may leave open, of an objective of the size of a z-score.
CURVED = 1e-6
#: A price below this is rounding: it moves the objective by nothing that is reported.
PRICED = 1e-9


class EnhanceSettings(Spec):
    """What the portfolio keeps, and what may give way."""

    cash: float = Field(default=0.005, ge=0.0, lt=1.0, description="fraction of the book that is not invested")
    constraints: tuple[Constraint, ...] = Field(default=(), description="what the portfolio keeps")
    risk_aversion: float = Field(
        default=0.0,
        ge=0.0,
        description="what the objective is charged for a unit of active variance a year (the tracking error squared); "
        "0 = nothing",
    )
    relax_order: tuple[str, ...] = Field(
        default=DEFAULT_RELAX_ORDER,
        description="families that may give way on an infeasible day, the first to give way first; "
        "one that is not named never does",
    )

    @field_validator("relax_order")
    @classmethod
    def _families_once(cls, order: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "constraints" not in info.data:  # which are wrong
            return order
        own: tuple[Constraint, ...] = info.data["constraints"]
        known = {ROOM.load(name).FAMILY for name in ROOM.kinds()} | {one.part.FAMILY for one in own}
        for i, family in enumerate(order):
            if family not in known or family in order[:i]:
                what = "twice" if family in known else "no family of constraints"
                raise wrong((i,), f"{family!r} is {what}: there are {', '.join(sorted(known))}")
        return order


class IndexEnhancer:
    """Solves rebalances one by one. Holds settings, no state: the same facts give the same target."""

    def __init__(self, settings: EnhanceSettings) -> None:
        self.settings = settings

    def limits(self, r: Rebalance) -> tuple[Limit, ...]:
        """All limits of a day, by constraint, as asked (before any relaxation)."""
        invested = 1.0 - self.settings.cash
        return tuple(one.part.limits(one.settings, r, invested) for one in self.settings.constraints)

    def solve(self, r: Rebalance) -> Target:
        """The target of one rebalance, for the fills of the next trading day.

        Raises
        ------
        InfeasibleError
            the limits can't hold together and `relax_order` does not allow enough to give way.
        SolverError
            a solver failed, or its answer fails our check.
        """
        began = time.perf_counter()
        if self.settings.risk_aversion and r.risk is None:
            raise DataError(f"rebalance of {r.date}: risk_aversion needs a risk model's forecast")
        limits = self.limits(r)
        target = self._solve(r, limits, 0, began)
        again = self._limits_again(r, limits, target.weights)
        return target if again is None else self._solve(r, again, target.iterations, began)

    def _limits_again(self, r: Rebalance, limits: tuple[Limit, ...], weights: Float64) -> tuple[Limit, ...] | None:
        """The limits of heuristics that look at a first answer in place of their first ones; None if there are none."""
        invested = 1.0 - self.settings.cash
        second = {
            i: bounds
            for i, one in enumerate(self.settings.constraints)
            if isinstance(one.part, LooksAgain)
            and (bounds := one.part.limits_again(one.settings, r, invested, weights)) is not None
        }
        return tuple(second.get(i, first) for i, first in enumerate(limits)) if second else None

    def _solve(self, r: Rebalance, limits: tuple[Limit, ...], iterations: int, began: float) -> Target:
        """The target under `limits`; `iterations` were spent before."""
        model = build_model(r, 1.0 - self.settings.cash, limits, self.settings.risk_aversion)
        self._check_forced(model)
        assembly = assemble(model)
        outcome, relaxed, cause = solve(assembly.lp), None, "infeasible"
        if isinstance(outcome, Infeasible):
            relaxed, answer = self._relaxed(model, assembly, outcome)
            by_frozen, spent = self._solvable_unfrozen(r)
            cause = "untradeable" if by_frozen else cause
            iterations += outcome.iterations + relaxed.iterations + spent
            assembly, outcome = replace(relaxed.assembly, lp=relaxed.lp), answer
        if isinstance(outcome, Infeasible):
            raise SolverError(f"rebalance of {r.date}: the least relaxation can't be reached a second time")
        return _target(model, assembly, outcome, relaxed, cause, iterations + outcome.iterations, began)

    def _relaxed(self, model: Model, assembly: Assembly, failed: Infeasible) -> tuple[Relaxed, Optimum | Infeasible]:
        """The program relaxed, and its answer. Where the linear part alone has to give way, and what it gives way to
        keeps the tracking error, the limit on that changes nothing."""
        order = self.settings.relax_order
        if model.deviation is not None and model.aversion == 0 and not failed.by_risk:
            linear = replace(model, deviation=None)
            relaxed = relax(linear, assemble(linear), failed, order)
            answer = solve(relaxed.lp)
            if isinstance(answer, Optimum):
                weights = relaxed.assembly.weights(model, answer.x)
                if model.deviation.values(weights)[0] <= model.deviation.upper[0]:
                    return relaxed, answer
        relaxed = relax(model, assembly, failed, order)
        return relaxed, solve(relaxed.lp)

    def _solvable_unfrozen(self, r: Rebalance) -> tuple[bool, int]:
        """Could every limit be kept if the frozen names could be traded? And iterations spent."""
        if not r.frozen.any():
            return False, 0
        free = replace(r, frozen=np.zeros_like(r.frozen), buyable=r.buyable | r.frozen)
        return solvable(build_model(free, 1.0 - self.settings.cash, self.limits(free)))

    def _check_forced(self, model: Model) -> None:
        """Bounds that a name's own state breaks need leave to be relaxed like any other."""
        stuck = [
            (bound.name, bound.label(int(k)))
            for bound in model.bounds
            if bound.family not in self.settings.relax_order
            for k in np.flatnonzero(_forced(model, bound))
        ]
        if stuck:
            rows = ", ".join(f"{constraint} ({row})" for constraint, row in stuck[:12])
            raise InfeasibleError(
                f"no portfolio on {model.r.date}: {len(stuck)} names can't be traded into their bounds: {rows}; "
                f"allow their family in relax_order",
                tuple(stuck),
            )


def _forced(model: Model, bound: Bounds) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) names that their own floor or ceiling keeps out of their bound."""
    low, high = bound.reference + bound.lower, bound.reference + bound.upper
    return (low > model.ceiling + RECORDED) | (high < model.floor - RECORDED)


def _target(
    model: Model,
    assembly: Assembly,
    optimum: Optimum,
    relaxed: Relaxed | None,
    cause: str,
    iterations: int,
    began: float,
) -> Target:
    """Read the solution, check it, and say what gave way (rows by `cause`) and what binds."""
    weights = assembly.weights(model, optimum.x)
    standing = [(limits, *_excess(limits, weights)) for limits in model.limits]
    relaxations = tuple(one for limits in standing for one in _relaxations(model, *limits, cause))
    relaxations += _budget_missed(model, weights)
    residual = _residual(model, weights, assembly, standing)
    flat, level, priced = linearised(model, assembly, optimum)
    dual_residual, gap = certificate(level.lp, priced)
    open_at_most = _open_at_most(assembly, optimum)
    if residual > TOLERANCE or dual_residual > TOLERANCE or abs(gap) > open_at_most:
        raise SolverError(
            f"rebalance of {model.r.date}: the solution fails its check: primal residual {residual:.2g}, "
            f"dual residual {dual_residual:.2g}, gap {gap:.2g}, wanted at most {open_at_most:.0e}"
        )
    return Target(
        weights=weights,
        objective=float(model.r.score @ weights) - _charge(model, weights),
        relaxations=relaxations,
        binding=_binding(flat, level, priced, weights),
        conflict=relaxed.conflict if relaxed else (),
        status="relaxed" if relaxations else "optimal",
        iterations=iterations,
        primal_residual=residual,
        dual_residual=dual_residual,
        gap=gap,
        seconds=time.perf_counter() - began,
    )


def _open_at_most(assembly: Assembly, optimum: Optimum) -> float:
    """What the proof may leave open: of a curved program, what a limit of risk wider by a millionth would gain."""
    size, risk = max(1.0, abs(optimum.objective)), assembly.lp.risk
    if risk is None:
        return TOLERANCE * size
    return CURVED * max(size, optimum.risk_price * (risk.limit or 0.0))


def _charge(model: Model, weights: Float64) -> float:
    """What an aversion to risk takes off the objective."""
    if model.aversion == 0 or model.r.risk is None:
        return 0.0
    return model.aversion * model.r.risk.variance(weights - model.reference)


def _excess(limits: Limit, weights: Float64) -> tuple[Float64, Float64]:
    """(lines,) values, and by how much each is outside its limits (0 inside)."""
    values = limits.values(weights)
    return values, np.maximum(np.maximum(values - limits.upper, limits.lower - values), 0.0)


def _relaxations(model: Model, limits: Limit, values: Float64, excess: Float64, cause: str) -> list[Relaxation]:
    """The lines of `limits` that the weights don't keep, as asked against as they came out; `cause` = why the rows gave
    way, where no name's own state forced it."""
    relaxations: list[Relaxation] = []
    broken = np.flatnonzero(excess > RECORDED)
    if not len(broken):
        return relaxations
    forced = _forced(model, limits) if isinstance(limits, Bounds) else np.zeros(len(values), dtype=bool)
    for k in broken.tolist():
        bound = limits.upper[k] if values[k] > limits.upper[k] else limits.lower[k]
        reason = cause if not forced[k] else "frozen" if model.r.frozen[k] else "not_buyable"
        relaxations.append(Relaxation(limits.name, limits.label(k), float(bound), float(values[k]), reason))
    return relaxations


def _budget_missed(model: Model, weights: Float64) -> tuple[Relaxation, ...]:
    """The sum of weights, where names that can't be traded keep it from what was asked: too much that can't be sold, or
    too little that can be bought."""
    total, (least, most) = float(weights.sum()), model.invested
    if least - RECORDED <= total <= most + RECORDED:
        return ()
    bound, reason = (most, "frozen") if total > most else (least, "not_buyable")
    return (Relaxation(*BUDGET, bound, total, reason),)


def _residual(
    model: Model,
    weights: Float64,
    assembly: Assembly,
    standing: Sequence[tuple[Limit, Float64, Float64]],
) -> float:
    """Largest violation of what stands: budget, floors and ceilings, limits not relaxed (forced names by their box)."""
    lower, upper = assembly.lower, assembly.upper
    total = float(weights.sum())
    least, most = model.budget
    worst = [least - total, total - most]
    worst += [float(np.max(lower - weights)), float(np.max(weights - upper))]
    for limits, _, excess in standing:
        if not isinstance(limits, Bounds) and limits.family not in assembly.elastic:
            worst.append(float(excess.max(initial=0.0)))
    return max(*worst, 0.0)


def _binding(model: Model, assembly: Assembly, optimum: Optimum, weights: Float64) -> tuple[Binding, ...]:
    """Limits with a price. A bound on a name is priced by the reduced cost of the column that meets it."""
    bindings = []
    for i in np.flatnonzero(np.abs(optimum.row_price) > PRICED).tolist():
        owner = assembly.owners[i]
        if owner is not None:
            limits, k = owner
            price = float(optimum.row_price[i])
            bound = limits.upper[k] if price > 0 else limits.lower[k]
            bindings.append(Binding(limits.name, limits.label(k), float(bound), price))
    free = model.floor < model.ceiling
    buying, selling = assembly.worth(model, optimum.row_price)
    for bounds in (x for x in model.bounds if x.family not in assembly.elastic):
        for limit, side in ((bounds.lower, -1), (bounds.upper, 1)):
            edges = bounds.reference + limit
            names = np.flatnonzero((np.abs(weights - edges) <= RECORDED) & free)
            edge, origin = edges[names], model.origin[names]
            # Past its edge the origin must be sold down (bought up) to it; else buying (selling) stops there.
            through_buys = edge >= origin if side > 0 else edge > origin
            prices = np.where(through_buys, buying[names], -selling[names])
            for name, price in zip(names.tolist(), prices.tolist(), strict=True):
                if side * price > PRICED:
                    bindings.append(Binding(bounds.name, bounds.label(name), float(limit[name]), price))
    return tuple(bindings)
