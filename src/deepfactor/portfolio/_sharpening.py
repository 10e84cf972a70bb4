"""From an interior point's solution to an exact one: columns at a bound are put there, the others found by Newton.

An interior point stops a little inside of everything: thousands of weights of 1e-10, rows kept to 1e-9, prices to 1e-6.
Once it is known which columns and rows are at their bounds, the others solve a small system (Karush, Kuhn, Tucker),
whose matrix is a diagonal and the factors: Woodbury's formula. Which of two solutions is better their gaps prove.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from deepfactor.core.arrays import Bools, Float64, Indices, Integers
from deepfactor.portfolio._lp import LinearProgram
from deepfactor.portfolio._risk_term import RiskTerm

#: A column this near to its bound, and nearer than its price is to 0, is at the bound; a row likewise.
_NEAR = 1e-5
#: Solutions may break a limit by this much, as a linear program's do.
_BROKEN = 1e-9
#: Steps of Newton's between two looks at what is at its bound, and such looks.
_STEPS, _ROUNDS = 3, 12
#: A weight that no solution is near to.
_FAR = 1e3
#: A gap below which nothing better is looked for.
_PROVED = 1e-12
#: What a column must be worth to come off its bound. Where no turnover is limited, the purchase and the sale of a name
#: are worth the opposite of each other, and rounding alone would let both off.
WORTH = 1e-9
#: A price on a side without limit up to this size is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Found:
    """A solution: columns x, prices of rows and of the tracking error's limit."""

    x: Float64
    price: Float64
    risk_price: float


def sharpened(lp: LinearProgram, risk: RiskTerm, found: Found) -> tuple[Found, float]:
    """`found`, or what Newton's method makes of it if its gap is smaller; and that gap, by which the objective could be
    better at most."""
    found = replace(found, x=_netted(lp, risk, found.x))
    limited = risk.limit is not None and found.risk_price > _NEAR
    room = _room(lp, found.x)
    held = (lp.row_lower == lp.row_upper) | ((room < _NEAR) & (room < np.abs(found.price)))
    # Elsewhere a price is what an interior point leaves.
    best = Found(found.x, np.where(held, found.price, 0.0), found.risk_price if limited else 0.0)
    least = _gap(lp, risk, best)
    if risk.aversion == 0 and not limited:
        return best, least
    worth, low, high = reduced_costs(lp, risk, best), found.x - lp.lower, lp.upper - found.x
    at = np.where((low == 0) | (low < _NEAR) & (low < -worth), -1, np.where((high < _NEAR) & (high < worth), 1, 0))
    now = best
    for _ in range(_ROUNDS):
        now = replace(now, x=np.where(at < 0, lp.lower, np.where(at > 0, lp.upper, now.x)))
        for _ in range(_STEPS):
            now = _step(lp, risk, now, np.flatnonzero(held), np.flatnonzero(at == 0), limited=limited)
            if not np.abs(now.x).max() < _FAR or now.risk_price < 0:
                return best, least
        if (gap := _gap(lp, risk, now)) < least:
            best, least = now, gap
        if least < _PROVED:
            break
        at, held = _sides(lp, risk, now, at), _rows_held(lp, now, held)
    return best, least


def _both_ways(risk: RiskTerm) -> tuple[Indices, Indices]:
    """Columns of purchases and of sales of the names that have both."""
    _, buy, sell = np.intersect1d(risk.buys, risk.sells, assume_unique=True, return_indices=True)
    return buy, sell + len(risk.buys)


def _netted(lp: LinearProgram, risk: RiskTerm, x: Float64) -> Float64:
    """Purchases and sales of one name less what they have in common: the weight is the same, and no row gets fuller."""
    buy, sell = _both_ways(risk)
    common = np.minimum(x[buy] - lp.lower[buy], x[sell] - lp.lower[sell])
    out = x.copy()
    for one in (buy, sell):
        out[one] = np.where(x[one] - lp.lower[one] == common, lp.lower[one], x[one] - common)
    return out


def _sides(lp: LinearProgram, risk: RiskTerm, now: Found, at: Integers) -> Integers:
    """Which columns are at their lower (−1) or upper (1) bound: those beyond it are put there, those that are worth
    more away from it come off, but of a name's purchase and sale one alone."""
    reduced = reduced_costs(lp, risk, now)
    out = np.where((at < 0) & (reduced > WORTH) | (at > 0) & (reduced < -WORTH), 0, at)
    out = np.where((at == 0) & (now.x < lp.lower), -1, np.where((at == 0) & (now.x > lp.upper), 1, out))
    buy, sell = _both_ways(risk)
    both = (out[buy] == 0) & (out[sell] == 0)
    less = np.where(reduced[buy] < reduced[sell], buy, sell)[both]
    out[less] = -1
    return out


def _rows_held(lp: LinearProgram, now: Found, held: Bools) -> Bools:
    """Which rows are at their limit, likewise."""
    value = lp.matrix @ now.x
    wrong = ((now.price > 0) & ~np.isfinite(lp.row_upper)) | ((now.price < 0) & ~np.isfinite(lp.row_lower))
    broken = (value > lp.row_upper + _BROKEN) | (value < lp.row_lower - _BROKEN)
    return np.asarray((lp.row_lower == lp.row_upper) | (held & ~wrong) | broken, dtype=np.bool_)


def _room(lp: LinearProgram, x: Float64) -> Float64:
    """How far each row is from the nearer of its limits."""
    value = lp.matrix @ x
    return np.asarray(np.minimum(np.abs(lp.row_upper - value), np.abs(value - lp.row_lower)))


def _slope(risk: RiskTerm, x: Float64) -> tuple[Float64, float]:
    """Tracking error less slack: its gradient in the columns (columns,), and the tracking error."""
    active = risk.active(x)
    deviation = risk.forecast.tracking_error(active)
    out = risk.on_columns(risk.forecast.times(active) / max(deviation, 1e-300), len(x))
    if risk.slack is not None:
        out[risk.slack] = -1.0
    return out, deviation


def reduced_costs(lp: LinearProgram, risk: RiskTerm, found: Found) -> Float64:
    """(columns,) by how much the objective rises a unit of each column, prices paid."""
    out: Float64 = lp.cost - lp.matrix.T @ found.price
    if risk.aversion:
        out = out - 2.0 * risk.aversion * risk.on_columns(risk.forecast.times(risk.active(found.x)), len(out))
    if found.risk_price:
        out = out - found.risk_price * _slope(risk, found.x)[0]
    return out


def _gap(lp: LinearProgram, risk: RiskTerm, found: Found) -> float:
    """By how much the objective could be better at most; infinite for what breaks a limit."""
    x, price = found.x, found.price
    value = lp.matrix @ x
    broken = [lp.lower - x, x - lp.upper, value - lp.row_upper, lp.row_lower - value]
    if max(float(np.max(one, initial=0.0)) for one in broken) > _BROKEN or not risk.kept(x, _BROKEN):
        return float("inf")
    rows = _left(price, lp.row_lower - value, lp.row_upper - value)
    columns = _left(reduced_costs(lp, risk, found), lp.lower - x, lp.upper - x)
    limit = 0.0
    if found.risk_price and risk.limit is not None:
        slack = 0.0 if risk.slack is None else float(x[risk.slack])
        limit = found.risk_price * (risk.limit + slack - risk.forecast.tracking_error(risk.active(x)))
    return rows + columns + abs(limit)


def _left(worth: Float64, down: Float64, up: Float64) -> float:
    """What steps down or up, as far as they go, can gain; infinite where worth that is no rounding goes on for ever."""
    priced = np.abs(worth) > _ROUNDING
    return float(np.abs(worth[priced] * np.where(worth > 0, up, down)[priced]).sum())


def _step(lp: LinearProgram, risk: RiskTerm, now: Found, held: Indices, free: Indices, *, limited: bool) -> Found:
    """One step towards: no worth left in any free column, every held row at its limit, and the tracking error too."""
    slope, deviation = _slope(risk, now.x)
    rows = sparse.csr_array(lp.matrix)[held][:, free].toarray()
    value = (lp.matrix @ now.x)[held]
    upper, lower = lp.row_upper[held], lp.row_lower[held]
    missing = np.where(np.abs(upper - value) <= np.abs(value - lower), upper, lower) - value
    curvature = 2.0 * risk.aversion
    if limited:
        assert risk.limit is not None
        slack = 0.0 if risk.slack is None else float(now.x[risk.slack])
        rows, missing = np.vstack([rows, slope[free]]), np.append(missing, risk.limit + slack - deviation)
        curvature += now.risk_price / deviation
    solve = _Curved(risk, free, len(now.x), curvature)
    worth = solve(reduced_costs(lp, risk, now)[free])
    bent = np.array([solve(row) for row in rows]).reshape(len(rows), len(free))
    change = np.linalg.lstsq(rows @ bent.T, rows @ worth - missing, rcond=1e-13)[0]
    x, price, risk_price = now.x.copy(), now.price.copy(), now.risk_price
    x[free] += worth - bent.T @ change
    price[held] += change[: len(held)]
    if limited:
        risk_price += float(change[-1])
    return Found(x, price, risk_price)


class _Curved:
    """Solves curvature × V of the free columns, V = specific + exposures' covariance, for a right side."""

    def __init__(self, risk: RiskTerm, free: Indices, columns: int, curvature: float) -> None:
        names = len(risk.buys) + len(risk.sells)
        of_name = np.concatenate([risk.buys, risk.sells])
        sign = np.concatenate([np.ones(len(risk.buys)), -np.ones(len(risk.sells))])
        traded: Bools = free < names  # slacks have no risk of their own
        at = free[traded]
        diagonal = np.full(len(free), 1e-9)
        diagonal[traded] += risk.forecast.specific[of_name[at]]
        root = np.zeros((len(risk.forecast.factors), len(free)))
        root[:, traded] = risk.forecast.root[:, of_name[at]] * sign[at]
        self.inverse = 1.0 / (curvature * diagonal)
        self.root = root * np.sqrt(curvature)
        self.inner = np.eye(len(root)) + (self.root * self.inverse) @ self.root.T

    def __call__(self, right: Float64) -> Float64:
        """The solution (free,)."""
        plain = self.inverse * right
        return np.asarray(plain - self.inverse * (self.root.T @ np.linalg.solve(self.inner, self.root @ plain)))
