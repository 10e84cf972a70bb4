"""From a rebalance and its limits to a linear program in buys and sells: w = origin + b - s, with b, s >= 0.

At most 2n columns and a few dozen rows: every limit on one name is a bound of its two columns, and a column that can
only be 0 (the sale of a name that is not held, any trade of a frozen one) is left out. A name whose buy and sell are
both positive is harmless: its weight is the same, and its turnover is counted too high, never too low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from deepfactor.core.arrays import Float64, Indices
from deepfactor.core.errors import RecipeError
from deepfactor.portfolio._lp import LinearProgram
from deepfactor.portfolio.problem import Bounds, Limits, Rebalance, Rows


@dataclass(frozen=True)
class Model:
    """One rebalance's limits. `floor`, `ceiling` (n,): what no relaxation moves (no shorts, frozen, not buyable).

    `invested`: (least, most) sum of weights.
    """

    r: Rebalance
    invested: tuple[float, float]
    origin: Float64
    floor: Float64
    ceiling: Float64
    rows: tuple[Rows, ...]
    bounds: tuple[Bounds, ...]

    @property
    def limits(self) -> tuple[Rows | Bounds, ...]:
        """All limits, rows first."""
        return self.rows + self.bounds

    def box(self, families: Sequence[str] = ()) -> tuple[Float64, Float64]:
        """(lower, upper) of each weight by the bounds that are not of `families`, widened to reach floor and ceiling.

        Where a name can't be traded into its bound at all, the bound becomes the nearest weight that it can have; the
        enhancer records it.
        """
        lower, upper = self.floor, self.ceiling
        for bound in self.bounds:
            if bound.family not in families:
                lower = np.maximum(lower, np.minimum(bound.reference + bound.lower, self.ceiling))
                upper = np.minimum(upper, np.maximum(bound.reference + bound.upper, self.floor))
        return lower, upper


def build_model(r: Rebalance, invested: float, limits: Sequence[Rows | Bounds]) -> Model:
    """Sort the limits into rows and bounds, and find where trades are counted from; `invested` is 1 - cash."""
    origins = [rows.origin for rows in limits if isinstance(rows, Rows) and rows.origin is not None]
    if any(not np.array_equal(origins[0], other) for other in origins[1:]):
        raise RecipeError("turnover rows must all count trades from the same weights", key="constraints")
    return Model(
        r=r,
        invested=(0.0, 1.0) if any(isinstance(x, Rows) and x.frees_cash for x in limits) else (invested, invested),
        origin=origins[0] if origins else r.previous,
        floor=np.where(r.frozen, r.previous, 0.0),
        ceiling=np.where(r.frozen | ~r.buyable, r.previous, 1.0),
        rows=tuple(x for x in limits if isinstance(x, Rows)),
        bounds=tuple(x for x in limits if isinstance(x, Bounds)),
    )


@dataclass(frozen=True)
class Assembly:
    """A program and what its rows and columns mean; `lower`, `upper` (n,) limit the weights.

    `owners[i]` is (limits, line) of row i, None for the budget and caps; the columns are the purchases of the names
    `buys`, the sales of the names `sells`, then the slacks of elastic rows, `slack_family` (slacks,) indexing
    `elastic`, whose caps are the last rows.
    """

    lp: LinearProgram
    lower: Float64
    upper: Float64
    buys: Indices
    sells: Indices
    owners: tuple[tuple[Limits, int] | None, ...]
    elastic: tuple[str, ...]
    slack_family: Indices

    def weights(self, model: Model, x: Float64) -> Float64:
        """(n,) weights of a solution; frozen names exactly `previous`, what rounds below 0 by the tolerance is 0."""
        bought = len(self.buys)
        w = model.origin.copy()
        w[self.buys] += x[:bought]
        w[self.sells] -= x[bought : bought + len(self.sells)]
        return np.where(model.r.frozen, model.r.previous, np.maximum(w, 0.0))

    def worth(self, model: Model, row_price: Float64) -> tuple[Float64, Float64]:
        """(n,) what buying, and selling, a unit of each name is worth at row prices: a column's reduced cost, also
        where the program has none for it."""
        up, trade, at = model.r.score - row_price[0], np.zeros(len(model.r)), 1
        for rows in model.rows:
            price = row_price[at : at + len(rows.lower)]
            at += len(price)
            priced = np.flatnonzero(price)
            if len(priced):
                cost = (price[priced, None] * rows.coefficients[priced]).sum(axis=0)
                up, trade = (up - cost, trade) if rows.origin is None else (up, trade + cost)
        for _ in (x for x in model.bounds if x.family in self.elastic):
            up = up - row_price[at : at + len(up)]
            at += len(up)
        return up - trade, -up - trade

    def least(self, family: str, caps: Mapping[str, float]) -> LinearProgram:
        """The program that minimises the total violation of `family`, the families of `caps` held to theirs."""
        cost = np.zeros_like(self.lp.cost)
        cost[len(cost) - len(self.slack_family) :] = -1.0 * (self.slack_family == self.elastic.index(family))
        return replace(self.capped(caps), cost=cost)

    def capped(self, caps: Mapping[str, float]) -> LinearProgram:
        """The program with the total violation of each family of `caps` at most that."""
        if not self.elastic:
            return self.lp
        cap = np.array([caps.get(family, np.inf) for family in self.elastic])
        row_upper, upper = self.lp.row_upper.copy(), self.lp.upper.copy()
        row_upper[-len(cap) :] = cap
        upper[len(upper) - len(self.slack_family) :] = cap[self.slack_family]
        return replace(self.lp, row_upper=row_upper, upper=upper)


def assemble(model: Model, elastic: tuple[str, ...] = ()) -> Assembly:
    """The program that maximises the score; limits of the `elastic` families may be broken (uncapped as built)."""
    origin, score = model.origin, model.r.score
    lower, upper = model.box(elastic)
    least, most = np.maximum(lower - origin, 0.0), np.maximum(upper - origin, 0.0)
    shed, sold = np.maximum(origin - upper, 0.0), np.maximum(origin - lower, 0.0)
    buys, sells = np.flatnonzero((least != 0.0) | (most != 0.0)), np.flatnonzero((shed != 0.0) | (sold != 0.0))
    least_sum, most_sum = (total - float(origin.sum()) for total in model.invested)
    shift = np.concatenate([[0.0], *(_shift(x, origin) for x in model.rows)])
    base = LinearProgram(
        cost=np.concatenate([score[buys], -score[sells]]),
        lower=np.concatenate([least[buys], shed[sells]]),
        upper=np.concatenate([most[buys], sold[sells]]),
        matrix=_matrix(len(score), buys, sells, model.rows),
        row_lower=np.concatenate([[least_sum], *(x.lower for x in model.rows)]) + shift,
        row_upper=np.concatenate([[most_sum], *(x.upper for x in model.rows)]) + shift,
    )
    owners = (None, *((x, k) for x in model.rows for k in range(len(x.lower))))
    assembly = Assembly(base, lower, upper, buys, sells, owners, (), np.empty(0, dtype=np.intp))
    return _with_slacks(_with_bound_rows(assembly, model, elastic), elastic) if elastic else assembly


def _shift(rows: Rows, origin: Float64) -> Float64:
    """What takes a limit on weights to one on buys less sells; a limit on trades stays."""
    return rows.reference if rows.origin is not None else rows.reference - rows.coefficients @ origin


def _matrix(n: int, buys: Indices, sells: Indices, rows: Sequence[Rows]) -> sparse.csc_array:
    """Budget and rows over purchases, then sales (the same with the sign turned, but for rows on trades)."""
    by_name = np.concatenate([np.ones((n, 1)), *(x.coefficients.T for x in rows)], axis=1)
    sign = np.concatenate([[-1.0], *(np.full(len(x.lower), -1.0 if x.origin is None else 1.0) for x in rows)])
    dense = np.concatenate([by_name[buys], by_name[sells] * sign])
    width, height = dense.shape
    at = np.flatnonzero(dense.ravel() != 0.0)
    starts = np.searchsorted(at, height * np.arange(width + 1)).astype(np.int32)
    return sparse.csc_array((dense.ravel()[at], (at % height).astype(np.int32), starts), shape=(height, width))


def _with_bound_rows(assembly: Assembly, model: Model, elastic: tuple[str, ...]) -> Assembly:
    """The bounds of elastic families as rows, one a name, so that they can be given slacks."""
    for bound in (x for x in model.bounds if x.family in elastic):
        lp, n = assembly.lp, len(model.r)
        eye = sparse.eye_array(n, format="csc")
        shift = bound.reference - model.origin
        lp = replace(
            lp,
            matrix=sparse.vstack([lp.matrix, sparse.hstack([eye[:, assembly.buys], -eye[:, assembly.sells]])], "csc"),
            row_lower=np.concatenate([lp.row_lower, np.minimum(bound.lower + shift, model.ceiling - model.origin)]),
            row_upper=np.concatenate([lp.row_upper, np.maximum(bound.upper + shift, model.floor - model.origin)]),
        )
        assembly = replace(assembly, lp=lp, owners=assembly.owners + tuple((bound, k) for k in range(n)))
    return assembly


def _with_slacks(assembly: Assembly, elastic: tuple[str, ...]) -> Assembly:
    """A slack for each finite side of each elastic row, and one row a family that sums its slacks."""
    lp = assembly.lp
    family = np.array([-1 if o is None or o[0].family not in elastic else elastic.index(o[0].family)
                       for o in assembly.owners])  # fmt: skip
    above = np.flatnonzero((family >= 0) & np.isfinite(lp.row_upper))
    below = np.flatnonzero((family >= 0) & np.isfinite(lp.row_lower))
    at, sign = np.concatenate([above, below]), np.concatenate([-np.ones(len(above)), np.ones(len(below))])
    k = len(at)
    slacks = sparse.csc_array((sign, (at, np.arange(k))), shape=(lp.matrix.shape[0], k))
    caps = sparse.csc_array((np.ones(k), (family[at], np.arange(k))), shape=(len(elastic), k))
    program = replace(
        lp,
        cost=np.concatenate([lp.cost, np.zeros(k)]),
        lower=np.concatenate([lp.lower, np.zeros(k)]),
        upper=np.concatenate([lp.upper, np.full(k, np.inf)]),
        matrix=sparse.block_array([[lp.matrix, slacks], [None, caps]], format="csc"),
        row_lower=np.concatenate([lp.row_lower, np.full(len(elastic), -np.inf)]),
        row_upper=np.concatenate([lp.row_upper, np.full(len(elastic), np.inf)]),
    )
    owners = assembly.owners + (None,) * len(elastic)
    return replace(assembly, lp=program, owners=owners, elastic=elastic, slack_family=family[at])
