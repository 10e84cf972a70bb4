"""A peer of the optimiser: scipy's `linprog` on weights and trades, row by row, written apart from the product."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import OptimizeResult, linprog

from deepfactor.core.arrays import Float64
from deepfactor.portfolio.enhancer import DEFAULT_RELAX_ORDER
from deepfactor.portfolio.problem import Rebalance

#: The families that may give way, the first first; stock bounds stay.
ORDER = tuple(family for family in DEFAULT_RELAX_ORDER if family != "stock")
#: Constraint of each family.
NAMES = {
    "turnover": "turnover",
    "style": "style_active_exposure",
    "industry": "industry_active_weight",
    "constituents": "constituents_weight",
}
#: Families by the peer's argument.
KEYS = {"constituents": "members"}


@dataclass
class Peer:
    """A linear program over (w, t) with t >= |w - origin|, filled row by row; t is what a name trades."""

    r: Rebalance
    origin: Float64
    box: list[tuple[float, float]] = field(default_factory=list)
    rows: list[Float64] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)

    def at_most(self, on_weights: Iterable[float], on_trades: Iterable[float], upper: float) -> None:
        self.rows.append(np.concatenate([np.asarray(on_weights, float), np.asarray(on_trades, float)]))
        self.upper.append(upper)

    def solve(self, cost: Float64 | None = None, *, budget: bool = True) -> OptimizeResult:
        n = len(self.r)
        eye = np.eye(n)
        rows = [np.hstack([eye, -eye]), np.hstack([-eye, -eye]), *self.rows]
        upper = np.concatenate([self.origin, -self.origin, self.upper])
        return linprog(
            np.concatenate([-self.r.score, np.zeros(n)]) if cost is None else cost,
            A_ub=np.vstack(rows),
            b_ub=upper,
            A_eq=np.concatenate([np.ones(n), np.zeros(n)])[None, :] if budget else None,
            b_eq=[0.995] if budget else None,
            bounds=[*self.box, *[(0, None)] * n],
            method="highs",
        )


def make_peer(
    r: Rebalance,
    *,
    stock: float | None = None,
    industry: float | None = None,
    style: float | None = None,
    members: float | None = None,
    turnover: float | None = None,
    origin: Float64 | None = None,
) -> Peer:
    """The peer of the constraints given; cash 0.5 %, `turnover` counts buys + sells."""
    n = len(r)
    peer = Peer(r, r.previous if origin is None else origin)
    peer.box = [_box(r, i, stock) for i in range(n)]
    zeros = np.zeros(n)

    def within(a: Float64, limit: float) -> None:
        centre = 0.995 * sum(a[i] * r.benchmark[i] for i in range(n))
        peer.at_most(a, zeros, centre + limit)
        peer.at_most(-a, zeros, limit - centre)

    if industry is not None:
        for code in sorted(set(r.industry.tolist())):
            within(np.array([float(c == code) for c in r.industry]), industry)
    if style is not None:
        for exposure in r.styles.values():
            within(exposure, style)
    if members is not None:
        peer.at_most(-1.0 * r.member, zeros, -members * 0.995)
    if turnover is not None and not r.first:
        peer.at_most(zeros, 1.0 * ~r.frozen, turnover)
    return peer


def _box(r: Rebalance, i: int, stock: float | None) -> tuple[float, float]:
    """Least and largest weight of a name, `stock` from the index's where that is given."""
    if r.frozen[i]:
        return r.previous[i], r.previous[i]
    ceiling = 1.0 if r.buyable[i] else r.previous[i]
    if stock is None:
        return 0.0, ceiling
    return max(0.0, min(0.995 * r.benchmark[i] - stock, ceiling)), min(ceiling, 0.995 * r.benchmark[i] + stock)


def least_violations(r: Rebalance, limits: dict[str, float]) -> dict[str, float] | None:
    """Least total violation a family by `linprog`: the smallest prefix of the order, its last family first.

    None: infeasible with all families elastic.
    """
    order = tuple(family for family in ORDER if family in limits)
    for k in range(1, len(order) + 1):
        caps: dict[str, float] = {}
        for family in reversed(order[:k]):
            least = least_total(r, limits, order[:k], family, caps)
            if least is None:
                break
            caps[family] = least
        else:
            return caps
    return None


def least_total(
    r: Rebalance, limits: dict[str, float], elastic: tuple[str, ...], family: str, caps: dict[str, float]
) -> float | None:
    """Least sum of slacks of `family` with a slack on each row of the `elastic` families; None = infeasible."""
    hard = make_peer(r, **{KEYS.get(f, f): v for f, v in limits.items() if f not in elastic})
    soft = [(f, make_peer(r, **{KEYS.get(f, f): limits[f]})) for f in elastic if f in limits]
    owner = np.array([f for f, program in soft for _ in program.rows])
    soft_rows = np.vstack([row for _, program in soft for row in program.rows])
    n, m = len(r), len(owner)
    eye = np.eye(n)
    fixed = np.vstack([np.hstack([eye, -eye]), np.hstack([-eye, -eye]), *hard.rows])
    rows = [np.hstack([fixed, np.zeros((len(fixed), m))]), np.hstack([soft_rows, -np.eye(m)])]
    rows += [np.concatenate([np.zeros(2 * n), 1.0 * (owner == f)])[None, :] for f in caps]
    upper = [hard.origin, -hard.origin, hard.upper, *(program.upper for _, program in soft)]
    answer = linprog(
        np.concatenate([np.zeros(2 * n), 1.0 * (owner == family)]),
        A_ub=np.vstack(rows),
        b_ub=np.concatenate([*upper, [cap + 1e-8 for cap in caps.values()]]),
        A_eq=np.concatenate([np.ones(n), np.zeros(n + m)])[None, :],
        b_eq=[0.995],
        bounds=[*hard.box, *[(0, None)] * (n + m)],
        method="highs",
    )
    return float(answer.fun) if answer.status == 0 else None
