"""A curved program in the few columns that its solution can need, and the proof that the others are at 0.

Of 5,000 names a portfolio holds some hundreds. What a column is worth by the linear program's prices tells nearly all
that matter; the rest is told by the prices of the smaller program's answer, which are those of the whole program too
where no column that was left out is worth anything (column generation; Dantzig, Wolfe, 1960).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from deepfactor.core.arrays import Bools, Float64, Indices
from deepfactor.portfolio._lp import LinearProgram, Optimum
from deepfactor.portfolio._risk_term import RiskTerm
from deepfactor.portfolio._sharpening import WORTH, Found, reduced_costs

#: Columns beside those that can't be left out: so many by what they are worth, ...
_FIRST = 300
#: ... and so many at a time whose worth was found too late.
_MORE = 150
#: With fewer columns than this nothing is left out.
_SMALL = 1000


def first_columns(lp: LinearProgram, risk: RiskTerm, linear: Optimum | None) -> Bools:
    """(columns,) which to begin with: of names with an active weight, slacks, those off 0, and the best of the rest by
    the prices of `linear`, or by what they take off the risk."""
    columns, names = len(lp.cost), len(risk.buys) + len(risk.sells)
    kept = np.ones(columns, dtype=np.bool_)
    if columns < _SMALL:
        return kept
    kept[:names] = risk.start[np.concatenate([risk.buys, risk.sells])] != 0.0
    kept |= lp.lower != 0.0
    if linear is None:
        return kept | best(-risk.on_columns(risk.forecast.times(risk.start), columns), ~kept, _FIRST)
    kept |= linear.x != 0.0
    return kept | best(lp.cost - lp.matrix.T @ linear.row_price, ~kept, _FIRST)


def best(worth: Float64, among: Bools, count: int) -> Bools:
    """(columns,) the `count` of `among` that are worth most; all of them where there are no more."""
    at, out = np.flatnonzero(among), np.zeros(len(worth), dtype=np.bool_)
    out[at[np.argsort(-worth[at], kind="stable")[:count]]] = True
    return out


def missing(lp: LinearProgram, risk: RiskTerm, found: Found, kept: Bools) -> Bools:
    """(columns,) those left out that `found`'s prices say should not have been, the worthiest; none = it is proved."""
    if kept.all():
        return np.zeros_like(kept)
    worth = reduced_costs(lp, risk, found)
    return best(worth, ~kept & (worth > WORTH) & (lp.upper > 0.0), _MORE)


def restricted(lp: LinearProgram, risk: RiskTerm, columns: Indices) -> tuple[LinearProgram, RiskTerm]:
    """The program in some columns alone (their positions, ascending; all slacks among them), the others at 0."""
    if len(columns) == len(lp.cost):
        return lp, risk
    bought, names = len(risk.buys), len(risk.buys) + len(risk.sells)
    small = replace(
        lp,
        cost=lp.cost[columns],
        lower=lp.lower[columns],
        upper=lp.upper[columns],
        matrix=sparse.csc_array(lp.matrix[:, columns]),
    )
    term = replace(
        risk,
        buys=risk.buys[columns[columns < bought]],
        sells=risk.sells[columns[(columns >= bought) & (columns < names)] - bought],
        slack=None if risk.slack is None else int(np.searchsorted(columns, risk.slack)),
    )
    return small, term


def widened(lp: LinearProgram, found: Found, columns: Indices) -> Found:
    """A solution in some columns as one in all."""
    x = np.zeros(len(lp.cost))
    x[columns] = found.x
    return replace(found, x=x)
