"""From a rebalance and its limits to a linear program in buys and sells: w = origin + b - s, with b, s >= 0.

At most 2n columns and a few dozen rows: every limit on one name is a bound of its two columns, and a column that can
only be 0 (the sale of a name that is not held, any trade of a frozen one) is left out. A name whose buy and sell are
both positive is harmless: its weight is the same, and its turnover is counted too high, never too low.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from deepfactor.core.arrays import Float64, Indices
from deepfactor.core.errors import RecipeError
from deepfactor.portfolio._cone import same_rows
from deepfactor.portfolio._lp import LinearProgram, Optimum
from deepfactor.portfolio._risk_term import RiskTerm
from deepfactor.portfolio.problem import Bounds, Deviation, Limit, Limits, Rebalance, Rows


@dataclass(frozen=True)
class Model:
    """One rebalance's limits. `floor`, `ceiling` (n,): what no relaxation moves (no shorts, frozen, not buyable).

    `invested`: (least, most) sum of weights, as asked. `deviation`: the limit on the tracking error, if there is one;
    `aversion`: what a unit of active variance against `reference` (n,) costs.
    """

    r: Rebalance
    invested: tuple[float, float]
    origin: Float64
    floor: Float64
    ceiling: Float64
    rows: tuple[Rows, ...]
    bounds: tuple[Bounds, ...]
    deviation: Deviation | None
    aversion: float
    reference: Float64

    @property
    def budget(self) -> tuple[float, float]:
        """(least, most) sum of weights, widened to the nearest that floor and ceiling let it have."""
        least, most = self.invested
        return min(least, float(self.ceiling.sum())), max(most, float(self.floor.sum()))

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All limits, rows first."""
        return (*self.rows, *self.bounds, *(() if self.deviation is None else (self.deviation,)))

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


def build_model(r: Rebalance, invested: float, limits: Sequence[Limit], aversion: float = 0.0) -> Model:
    """Sort the limits into rows, bounds and risk, and find where trades are counted from; `invested` is 1 - cash."""
    deviations = [x for x in limits if isinstance(x, Deviation)]
    if len(deviations) > 1:
        raise RecipeError("the tracking error is limited twice: leave one out", key="constraints")
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
        deviation=deviations[0] if deviations else None,
        aversion=aversion,
        reference=invested * r.benchmark,
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
        return replace(feasibility(self.capped(caps)), cost=cost)

    def capped(self, caps: Mapping[str, float]) -> LinearProgram:
        """The program with the total violation of each family of `caps` at most that."""
        if not self.elastic:
            return self.lp
        cap = np.array([caps.get(family, np.inf) for family in self.elastic])
        row_upper, upper = self.lp.row_upper.copy(), self.lp.upper.copy()
        row_upper[-len(cap) :] = cap
        upper[len(upper) - len(self.slack_family) :] = cap[self.slack_family]
        risk = self.lp.risk
        if risk is not None and risk.slack is not None and risk.limit is not None and np.isfinite(upper[risk.slack]):
            # A wider limit is easier to solve than one with a slack of its own.
            most, upper[risk.slack] = float(upper[risk.slack]), 0.0
            risk = replace(risk, limit=risk.limit + most, slack=None)
        return replace(self.lp, row_upper=row_upper, upper=upper, risk=risk)


def linearised(model: Model, assembly: Assembly, optimum: Optimum) -> tuple[Model, Assembly, Optimum]:
    """The linear program that has the same optimum, prices and worth of trades: risk by its slope there."""
    risk = assembly.lp.risk
    if risk is None:
        return model, assembly, optimum
    columns, lp = len(assembly.lp.cost), replace(assembly.lp, risk=None)
    if risk.aversion:
        charged = 2.0 * risk.aversion * risk.forecast.times(risk.active(optimum.x))
        lp = replace(lp, cost=lp.cost - risk.on_columns(charged, columns))
        model = replace(model, r=replace(model.r, score=model.r.score - charged))
    owners, price = assembly.owners, optimum.row_price
    if model.deviation is not None and risk.limit is not None:
        tangent = model.deviation.tangent(risk.active(optimum.x) + model.reference)
        row = risk.on_columns(tangent.coefficients[0], columns)
        if risk.slack is not None:
            row[risk.slack] = -1.0
        at = 1 + sum(len(x.lower) for x in model.rows)
        matrix = sparse.csr_array(lp.matrix)
        lp = replace(
            lp,
            matrix=sparse.csc_array(sparse.vstack([matrix[:at], sparse.csr_array(row[None]), matrix[at:]])),
            row_lower=np.insert(lp.row_lower, at, -np.inf),
            row_upper=np.insert(lp.row_upper, at, risk.limit + float(_shift(tangent, model.origin)[0])),
        )
        owners = (*owners[:at], (tangent, 0), *owners[at:])
        price = np.insert(price, at, optimum.risk_price)
        model = replace(model, rows=(*model.rows, tangent))
    assembly = replace(assembly, lp=lp, owners=owners)
    return model, assembly, replace(optimum, row_price=price, objective=float(lp.cost @ optimum.x))


def feasibility(lp: LinearProgram) -> LinearProgram:
    """The program with nothing to optimise."""
    risk = None if lp.risk is None else replace(lp.risk, aversion=0.0)
    return replace(lp, cost=np.zeros_like(lp.cost), risk=risk)


def assemble(model: Model, elastic: tuple[str, ...] = ()) -> Assembly:
    """The program that maximises the score; limits of the `elastic` families may be broken (uncapped as built)."""
    origin, score = model.origin, model.r.score
    lower, upper = model.box(elastic)
    least, most = np.maximum(lower - origin, 0.0), np.maximum(upper - origin, 0.0)
    shed, sold = np.maximum(origin - upper, 0.0), np.maximum(origin - lower, 0.0)
    buys, sells = np.flatnonzero((least != 0.0) | (most != 0.0)), np.flatnonzero((shed != 0.0) | (sold != 0.0))
    least_sum, most_sum = (total - float(origin.sum()) for total in model.budget)
    shift = np.concatenate([[0.0], *(_shift(x, origin) for x in model.rows)])
    base = LinearProgram(
        cost=np.concatenate([score[buys], -score[sells]]),
        lower=np.concatenate([least[buys], shed[sells]]),
        upper=np.concatenate([most[buys], sold[sells]]),
        matrix=_matrix(len(score), buys, sells, model.rows),
        row_lower=np.concatenate([[least_sum], *(x.lower for x in model.rows)]) + shift,
        row_upper=np.concatenate([[most_sum], *(x.upper for x in model.rows)]) + shift,
        risk=_risk_term(model, buys, sells),
    )
    owners = (None, *((x, k) for x in model.rows for k in range(len(x.lower))))
    assembly = Assembly(base, lower, upper, buys, sells, owners, (), np.empty(0, dtype=np.intp))
    if not elastic:
        return assembly
    of_risk = None if model.deviation is None else model.deviation.family
    return _with_slacks(_with_bound_rows(assembly, model, elastic), elastic, of_risk)


def _risk_term(model: Model, buys: Indices, sells: Indices) -> RiskTerm | None:
    """What risk adds to the program; None where it adds nothing."""
    forecast = model.r.risk
    if forecast is None or (model.deviation is None and model.aversion == 0):
        return None
    return RiskTerm(
        forecast=forecast,
        start=model.origin - model.reference,
        buys=buys,
        sells=sells,
        limit=None if model.deviation is None else float(model.deviation.upper[0]),
        slack=None,
        aversion=model.aversion,
        same=tuple(_same_as_exposures(model, forecast.exposures)),
    )


def _same_as_exposures(model: Model, exposures: Float64) -> Iterator[tuple[int, int]]:
    """(row of the program, factor) of rows on weights whose coefficients are a factor's exposures; the budget is the
    market's."""
    at = 1
    for rows in (None, *model.rows):
        coefficients = np.ones((1, len(model.r))) if rows is None else rows.coefficients
        at = 0 if rows is None else at
        if rows is None or rows.origin is None:
            for k, factor in enumerate(same_rows(list(coefficients), exposures)):
                if factor is not None:
                    yield at + k, factor
        at += len(coefficients)


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


def _with_slacks(assembly: Assembly, elastic: tuple[str, ...], of_risk: str | None) -> Assembly:
    """A slack for each finite side of each elastic row, and of the tracking error where its family `of_risk` is
    elastic; one row a family that sums its slacks."""
    lp, risk = assembly.lp, assembly.lp.risk
    family = np.array([-1 if o is None or o[0].family not in elastic else elastic.index(o[0].family)
                       for o in assembly.owners])  # fmt: skip
    above = np.flatnonzero((family >= 0) & np.isfinite(lp.row_upper))
    below = np.flatnonzero((family >= 0) & np.isfinite(lp.row_lower))
    at, sign = np.concatenate([above, below]), np.concatenate([-np.ones(len(above)), np.ones(len(below))])
    slack_family = family[at]
    if risk is not None and of_risk in elastic:
        risk = replace(risk, slack=len(lp.cost) + len(at))
        slack_family = np.append(slack_family, elastic.index(of_risk))
    k = len(slack_family)
    slacks = sparse.csc_array((sign, (at, np.arange(len(at)))), shape=(lp.matrix.shape[0], k))
    caps = sparse.csc_array((np.ones(k), (slack_family, np.arange(k))), shape=(len(elastic), k))
    program = replace(
        lp,
        cost=np.concatenate([lp.cost, np.zeros(k)]),
        lower=np.concatenate([lp.lower, np.zeros(k)]),
        upper=np.concatenate([lp.upper, np.full(k, np.inf)]),
        matrix=sparse.block_array([[lp.matrix, slacks], [None, caps]], format="csc"),
        row_lower=np.concatenate([lp.row_lower, np.full(len(elastic), -np.inf)]),
        row_upper=np.concatenate([lp.row_upper, np.full(len(elastic), np.inf)]),
        risk=risk,
    )
    owners = assembly.owners + (None,) * len(elastic)
    return replace(assembly, lp=program, owners=owners, elastic=elastic, slack_family=slack_family)
