"""Inclusion factors of an index's largest members, estimated from the index's own published returns of the past year.

A provider weighs by free float, a vendor's float shares count what the state and other large holders never sell. With
cᵢ the float value of a member at a close, rᵢ its price return on the day after and R the index's, inclusion factors x
make the index if Σ xᵢ cᵢ (rᵢ − R) = 0 on each day. The `LARGEST` members' are found by least squares over the past
`YEAR` days, within [0, 1] and with a penalty towards `PRIOR`, at which all the others are held: only ratios count.
(A return-based estimate of holdings as Sharpe's 1992, by member, with the float value as the prior.)

They are used only where they help: float value alone is kept where it has followed the index within `CLOSE_ENOUGH` a
year over the later half of that year, or better than factors fitted on the earlier half did.

Nothing of later days is read. Factors are rounded, so that they don't depend on how a library orders its sums.
"""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Float64, Indices

#: Days of returns that a fit looks at, and fewer than which there is none.
YEAR, LEAST_DAYS = 250, 120
#: How many of the largest members have a factor of their own; at most half of them, the others set the scale.
LARGEST = 120
#: What a factor is without evidence, and how far from it (one standard deviation) it is expected to lie.
PRIOR, SPREAD = 0.5, 0.25
#: Daily error that no weights explain (late changes of members, rounding): 1 % a year.
NOISE = 0.01 / np.sqrt(252)
#: Tracking error a year within which float value alone is left as it is.
CLOSE_ENOUGH = 0.005
_DECIMALS = 4
_PATIENCE = 10


def inclusion_factors(share: Float64, active: Float64, value: Float64) -> Float64 | None:
    """Factors (m,) of an index's members at a close, or None where their float value alone is kept.

    Parameters
    ----------
    share : (S, m) members' float value at the close before each return, of its sum; 0 = no member, or not known
    active : (S, m) `share` × (price return, that is without cash dividends, less the index's); NaN rows = not known
    value : (m,) float value at the close in question
    """
    known = np.isfinite(active).all(axis=1)
    if int(known.sum()) < LEAST_DAYS:
        return None
    if not known.all():
        share, active = share[known], active[known]
    order = np.argsort(-value, kind="stable")
    largest = order[: min(LARGEST, int((value > 0).sum()) // 2)]
    half = len(active) // 2
    plain = _tracking_error(active[half:], share[half:], np.full(len(value), PRIOR))
    if plain <= CLOSE_ENOUGH:
        return None
    fitted = _tracking_error(active[half:], share[half:], _fit(active[:half], largest))
    return np.round(_fit(active, largest), _DECIMALS) if fitted < plain else None


def _tracking_error(active: Float64, share: Float64, factors: Float64) -> float:
    """Standard deviation a year of a replica's daily return less the index's."""
    weight = share @ factors
    if not (weight > 0).all():
        return np.inf
    return float(np.std(active @ factors / weight, ddof=1) * np.sqrt(252))


def _fit(active: Float64, largest: Indices) -> Float64:
    """Factors (m,): of `largest` fitted, of the others `PRIOR`."""
    own = active[:, largest]
    rest = active.sum(axis=1) - own.sum(axis=1)
    own = own / PRIOR  # in units of an index whose members are all at the prior, as is `rest`
    penalty = (NOISE / SPREAD) ** 2
    square = own.T @ own + penalty * np.eye(len(largest))
    out = np.full(active.shape[1], PRIOR)
    out[largest] = bounded_least_squares(square, penalty * PRIOR - own.T @ rest)
    return out


def bounded_least_squares(square: Float64, linear: Float64) -> Float64:
    """The x within [0, 1] that minimises ½ x'Qx − l'x, Q = `square` (k, k) positive definite, l = `linear` (k,).

    By exchange of whole blocks of active bounds (Júdice and Pires 1994). Where blocks stop making progress, single
    bounds are exchanged, the last first, which ends (Murty 1974).
    """
    k = len(linear)
    low, high = np.zeros(k, dtype=bool), np.zeros(k, dtype=bool)
    best, patience = k + 1, _PATIENCE
    while True:
        free = ~(low | high)
        x = np.where(high, 1.0, 0.0)
        if free.any():
            right = linear[free] - square[np.ix_(free, high)].sum(axis=1)
            x[free] = np.linalg.solve(square[np.ix_(free, free)], right)
        slope = square @ x - linear
        slack = 1e-12 * max(float(np.abs(linear).max(initial=0.0)), 1e-300)
        under, over = free & (x < 0), free & (x > 1)
        wrong = under | over | (low & (slope < -slack)) | (high & (slope > slack))
        count = int(wrong.sum())
        if not count:
            return x
        best, patience = (count, _PATIENCE) if count < best else (best, patience - 1)
        if patience <= 0:
            wrong &= np.arange(k) == np.flatnonzero(wrong)[-1]
        low, high = (low ^ (wrong & low)) | (wrong & under), (high ^ (wrong & high)) | (wrong & over)
