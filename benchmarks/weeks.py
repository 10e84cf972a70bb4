"""Random weeks for the optimiser, and its program written a second time, plainly: what the peers are given."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.optimize import OptimizeResult, linprog

from deepfactor.core.arrays import Float64
from deepfactor.portfolio.enhancer import IndexEnhancer
from deepfactor.portfolio.presets import load_preset
from deepfactor.portfolio.problem import Bounds, Rebalance, Rows

MEMBERS, INDUSTRIES = 500, 30


def week(
    n: int,
    *,
    seed: int = 0,
    preset: str = "study_b",
    members: int = MEMBERS,
    styles: int = 1,
    drift: float = 0.03,
    frozen: float = 0.02,
) -> tuple[IndexEnhancer, Rebalance]:
    """A study's constraints on the second week of a book: last week's optimum, drifted, and a score that moved on."""
    rng = np.random.default_rng(seed)
    member = np.arange(n) < min(members, n // 2)
    benchmark = np.where(member, rng.lognormal(0.0, 0.7, n), 0.0)
    score = rng.standard_normal(n)
    nothing, everything = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
    industry = rng.integers(0, INDUSTRIES, n)
    names = ("SIZE", *(f"STYLE{k}" for k in range(1, styles)))
    first = Rebalance(
        date=np.datetime64("2020-01-03"),
        symbols=np.array([f"{600000 + i}.SH" for i in range(n)]),
        score=score,
        previous=np.zeros(n),
        benchmark=benchmark / benchmark.sum(),
        frozen=nothing,
        buyable=everything,
        member=member,
        industry=industry,
        styles={name: rng.standard_normal(n) + (member if name == "SIZE" else 0.0) for name in names},
        first=True,
    )
    settings = load_preset(preset)
    enhancer = IndexEnhancer(settings)
    target = enhancer.solve(first).weights
    book = target * np.exp(drift * rng.standard_normal(n))
    stuck = rng.random(n) < frozen
    moved = replace(
        first,
        date=np.datetime64("2020-01-10"),
        score=0.9 * score + np.sqrt(1 - 0.81) * rng.standard_normal(n),
        previous=(1 - settings.cash) * book / book.sum(),
        previous_target=target,
        frozen=stuck,
        buyable=~stuck & (rng.random(n) > 0.03),
        first=False,
    )
    return enhancer, moved


def random_weeks(count: int, seed: int = 0) -> list[tuple[IndexEnhancer, Rebalance]]:
    """`count` weeks of 500 to 5000 stocks (evenly in the logarithm), both studies, one to ten styles."""
    rng = np.random.default_rng(seed)
    return [
        week(
            int(500 * 10 ** rng.random()),
            seed=int(rng.integers(2**31)),
            preset=("study_a", "study_b")[k % 2],
            members=int(rng.integers(100, 1000)),
            styles=int(rng.integers(1, 11)),
            drift=float(rng.choice([0.02, 0.05, 0.4])),
            frozen=float(rng.choice([0.0, 0.02, 0.2])),
        )
        for k in range(count)
    ]


@dataclass(frozen=True)
class PlainProgram:
    """Minimise cost @ (b, s) in purchases and sales of all n names (w = origin + b - s); nothing left out."""

    cost: Float64
    matrix: sparse.csc_array
    row_lower: Float64
    row_upper: Float64
    lower: Float64
    upper: Float64
    constant: float

    def linprog(self) -> OptimizeResult:
        """scipy's answer, given equalities apart and a row with two sides twice, as it wants them."""
        equal = self.row_lower == self.row_upper
        above, below = np.isfinite(self.row_upper) & ~equal, np.isfinite(self.row_lower) & ~equal
        rows = self.matrix.tocsr()
        return linprog(
            self.cost,
            A_ub=sparse.vstack([rows[above], -rows[below]], format="csc"),
            b_ub=np.concatenate([self.row_upper[above], -self.row_lower[below]]),
            A_eq=rows[equal].tocsc(),
            b_eq=self.row_upper[equal],
            bounds=np.stack([self.lower, self.upper], axis=1),
            method="highs",
        )

    def objective(self, fun: float) -> float:
        """Sum of score × weight, from the minimum found."""
        return self.constant - fun


def plain_program(enhancer: IndexEnhancer, r: Rebalance) -> PlainProgram:
    """The program of a day from the constraints' own limits; none of the product's assembly is used."""
    limits = enhancer.limits(r)
    rows, bounds = [x for x in limits if isinstance(x, Rows)], [x for x in limits if isinstance(x, Bounds)]
    origin = next((x.origin for x in rows if x.origin is not None), r.previous)
    floor, ceiling = np.where(r.frozen, r.previous, 0.0), np.where(r.buyable, 1.0, r.previous)
    low, high = floor, ceiling
    for x in bounds:  # a name that can't be traded into its bound goes as far as it can
        low = np.maximum(low, np.minimum(x.reference + x.lower, ceiling))
        high = np.minimum(high, np.maximum(x.reference + x.upper, floor))
    ones = np.ones((1, len(r)))
    blocks = [np.hstack([ones, -ones])]
    budget = 1.0 - enhancer.settings.cash - origin.sum()
    lower, upper = [np.array([budget])], [np.array([budget])]
    for x in rows:
        trades = x.origin is not None
        blocks.append(np.hstack([x.coefficients, x.coefficients if trades else -x.coefficients]))
        shift = x.reference if trades else x.reference - (x.coefficients * origin).sum(axis=1)
        lower.append(x.lower + shift)
        upper.append(x.upper + shift)
    return PlainProgram(
        cost=np.concatenate([-r.score, r.score]),
        matrix=sparse.csc_array(np.vstack(blocks)),
        row_lower=np.concatenate(lower),
        row_upper=np.concatenate(upper),
        lower=np.concatenate([np.maximum(low - origin, 0.0), np.maximum(origin - high, 0.0)]),
        upper=np.concatenate([np.maximum(high - origin, 0.0), np.maximum(origin - low, 0.0)]),
        constant=float((r.score * origin).sum()),
    )


@dataclass(frozen=True)
class Agreement:
    """Ours against `linprog` over weeks: relative difference of each feasible one's objective, infeasible ones counted.

    `split`: weeks that one of the two calls infeasible and the other not.
    """

    differences: tuple[float, ...]
    infeasible: int
    split: int


def agreement(weeks: list[tuple[IndexEnhancer, Rebalance]]) -> Agreement:
    """Solve each week by both. Ours relaxes where no portfolio keeps all limits; there linprog must find none."""
    differences, infeasible, split = [], 0, 0
    for enhancer, r in weeks:
        program, ours = plain_program(enhancer, r), enhancer.solve(r)
        theirs = program.linprog()
        relaxed = any(x.reason == "infeasible" for x in ours.relaxations)
        split += relaxed != (theirs.status == 2)
        infeasible += relaxed
        if theirs.status == 0:
            expected = program.objective(theirs.fun)
            differences.append(abs(ours.objective - expected) / abs(expected))
    return Agreement(tuple(differences), infeasible, split)
