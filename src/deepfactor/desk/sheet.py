"""What a rebalance does to bounds and exposures: before it, at its target, and after the expected fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.result import Columns
from deepfactor.core.arrays import AnyArray, Bools, Float64, Strings
from deepfactor.portfolio.problem import Bounds, Limit, Rebalance, Target


@dataclass(frozen=True)
class BeforeAndAfter:
    """Weights of a rebalance's n names: of the book as it stands, the target's, and after the expected fills."""

    before: Float64
    target: Float64
    expected: Float64


@dataclass(frozen=True)
class ConstraintSheet(Columns):
    """A line a bound; a bound on single names has lines of those that are held, in the index, or at the bound.

    `lower`, `upper` as asked (infinite = none); `before`, `target`, `expected` what the line comes to, in its unit;
    `slack` the target's distance to the nearer bound (< 0 = not kept); `shadow_price` the change of the objective per
    unit that the binding bound rises, 0 where none binds; `relaxed` why the bound was not kept (see `Relaxation`), or
    empty.
    """

    kinds = ("U1", "U1", "f8", "f8", "f8", "f8", "f8", "f8", "f8", "U1")

    constraint: Strings
    row: Strings
    lower: Float64
    upper: Float64
    before: Float64
    target: Float64
    expected: Float64
    slack: Float64
    shadow_price: Float64
    relaxed: Strings


@dataclass(frozen=True)
class ActiveExposures(Columns):
    """Active weight of each industry and active exposure to each style, against the invested part of the book."""

    kinds = ("U1", "U1", "f8", "f8", "f8")

    kind: Strings
    name: Strings
    before: Float64
    target: Float64
    expected: Float64


def constraint_sheet(limits: Sequence[Limit], r: Rebalance, answer: Target, weights: BeforeAndAfter) -> ConstraintSheet:
    """The sheet of a rebalance's `limits`, as they were asked."""
    prices: dict[tuple[str, str], float] = {}
    for one in answer.binding:
        prices[one.constraint, one.row] = prices.get((one.constraint, one.row), 0.0) + one.shadow_price
    reasons = {(one.constraint, one.row): one.reason for one in answer.relaxations}
    blocks = []
    for limit in limits:
        labels = [limit.label(k) for k in range(len(limit.lower))]
        price = np.array([prices.get((limit.name, label), 0.0) for label in labels], dtype=np.float64)
        reason = np.array([reasons.get((limit.name, label), "") for label in labels], dtype=np.str_)
        shown = np.isfinite(limit.lower) | np.isfinite(limit.upper)
        if isinstance(limit, Bounds):
            shown &= _concerned(r, weights) | (price != 0) | (reason != "")
        at = np.flatnonzero(shown)
        blocks.append(_lines(limit, at, np.array(labels, dtype=np.str_), weights, price, reason))
    return ConstraintSheet.stack(blocks)


def _concerned(r: Rebalance, weights: BeforeAndAfter) -> Bools:
    """(n,) names that are held at some time, or in the index."""
    held = (weights.before != 0) | (weights.target != 0) | (weights.expected != 0)
    return np.asarray(held | (r.benchmark != 0), dtype=np.bool_)


def _lines(
    limit: Limit,
    at: AnyArray,
    labels: Strings,
    weights: BeforeAndAfter,
    price: Float64,
    reason: Strings,
) -> tuple[AnyArray, ...]:
    before, target, expected = (limit.values(w)[at] for w in (weights.before, weights.target, weights.expected))
    lower, upper = limit.lower[at], limit.upper[at]
    slack = np.minimum(upper - target, target - lower)
    name = np.full(len(at), limit.name)
    return name, labels[at], lower, upper, before, target, expected, slack, price[at], reason[at]


def active_exposures(r: Rebalance, invested: float, weights: BeforeAndAfter) -> ActiveExposures:
    """Active exposures of a rebalance's weights; `invested` = 1 − cash, what the index is scaled to.

    Industries of the rebalance's codes, names of no known industry as "unknown"; a style's exposure is Σ active weight
    × exposure.
    """
    active = np.stack([w - invested * r.benchmark for w in (weights.before, weights.target, weights.expected)])
    codes = np.unique(r.industry)
    industries = np.stack([active[:, r.industry == code].sum(axis=1) for code in codes])
    styles = np.array([active @ exposure for exposure in r.styles.values()]).reshape(len(r.styles), 3)
    known = [r.industry_names[code] if 0 <= code < len(r.industry_names) else "unknown" for code in codes.tolist()]
    kind = np.array(["style"] * len(styles) + ["industry"] * len(industries))
    rows = np.concatenate([styles, industries])
    return ActiveExposures(kind, np.array([*r.styles, *known]), rows[:, 0], rows[:, 1], rows[:, 2])
