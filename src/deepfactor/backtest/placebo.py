"""What luck earns under a constraint set: random scores followed like the factor, and the band of their excess.

Long-only weights within bounds lean on styles, collect dividends and rebalance; all of that pays without any
knowledge. So an excess says something only where it lies outside of what scores without any earn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from scipy.special import stdtrit

from deepfactor.core.arrays import Bools, Float64, Floats, Indices
from deepfactor.cross_section.correlation import spearman
from deepfactor.evaluation.records import Number

#: Random scores are as persistent as one of these, the nearest to the factor's: factors then share a band.
STEPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
#: Of 100 further random scores so many lie within the band.
COVERED = 0.95
#: A factor that scores this share of the eligible is taken to score all: the others' band is its, too.
NEARLY_ALL = 0.95
#: Names without which two days' ranks say nothing.
_FEWEST = 10
_SEED = 20_140_909
#: Random scores that a band takes where nobody says how many.
DRAWS = 20


class Draw(TypedDict):
    """One random score followed: excess after and before cost by the definition, and the information ratio."""

    draw: int
    excess: Number
    excess_gross: Number
    information_ratio: Number


class Band(TypedDict):
    """Where a further random score's number lies in 95 of 100 cases; `distance`: how many standard deviations of a
    single draw the portfolio's own lies above the mean. None = not defined."""

    own: Number
    mean: Number
    std: Number
    low: Number
    high: Number
    distance: Number


class PlaceboFile(TypedDict):
    """``placebo.json`` beside a portfolio's summary: how many random scores were followed, as persistent as what, with
    which bands, and each draw."""

    draws: int
    persistence: float
    excess: Band
    excess_gross: Band
    information_ratio: Band
    drawn: list[Draw]


def usual_draws() -> int:
    """`DRAWS`."""
    return DRAWS


def random_scores(mask: Bools, signals: Indices, persistence: float, draw: int) -> Float64:
    """Scores (T, N) without any knowledge: normal on the rows `signals` where `mask`, NaN elsewhere.

    From one signal day to the next a stock's score keeps the correlation `persistence`: a first-order autoregression.
    Equal arguments give equal scores; `draw` numbers them.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.ones((3, 5), bool)
    >>> scores = random_scores(mask, np.array([0, 2]), 1.0, draw=0)
    >>> bool((scores[0] == scores[2]).all()), bool(np.isnan(scores[1]).all())
    (True, True)
    """
    rng = np.random.default_rng([_SEED, draw])
    out = np.full(mask.shape, np.nan)
    state = rng.standard_normal(mask.shape[1])
    fresh = math.sqrt(1.0 - persistence**2)
    for k, t in enumerate(signals.tolist()):
        if k:
            state = persistence * state + fresh * rng.standard_normal(mask.shape[1])
        out[t] = np.where(mask[t], state, np.nan)
    return out


def persistence_of(values: Floats, mask: Bools, signals: Indices) -> float:
    """The step of `STEPS` nearest to the mean rank correlation of neighbouring signal days' scores, over common names.

    A rank correlation s is that of normal scores correlated by 2 sin(π s / 6).
    """
    found = []
    for before, after in zip(signals[:-1].tolist(), signals[1:].tolist(), strict=True):
        both = mask[before] & mask[after] & np.isfinite(values[before]) & np.isfinite(values[after])
        if both.sum() >= _FEWEST:
            found.append(spearman(values[before, both], values[after, both]))
    known = [one for one in found if np.isfinite(one)]
    mean = float(np.mean(known)) if known else 0.0
    return min(STEPS, key=lambda step: abs(step - 2.0 * math.sin(math.pi * mean / 6.0)))


def who_is_scored(values: Floats, eligible: Bools, signals: Indices) -> Bools:
    """(T, N) whom random scores are given on the rows `signals`: the eligible, or the factor's own names where it
    leaves more than a twentieth of them out."""
    out = np.zeros(eligible.shape, np.bool_)
    own = eligible[signals] & np.isfinite(values[signals])
    all_of_them = own.sum() >= NEARLY_ALL * eligible[signals].sum()
    out[signals] = eligible[signals] & own.any(axis=1, keepdims=True) if all_of_them else own
    return out


def band(own: Number, drawn: Sequence[Number]) -> Band:
    """The band of `drawn` numbers, and where `own` lies in it.

    A prediction interval for one more draw: mean ± t · s · √(1 + 1/n) with n − 1 degrees of freedom, so that it holds
    for few draws too.
    """
    known = np.array([one for one in drawn if one is not None and math.isfinite(one)])
    n = len(known)
    if n < 2:
        mean = float(known[0]) if n else None
        return {"own": own, "mean": mean, "std": None, "low": None, "high": None, "distance": None}
    mean, std = float(known.mean()), float(known.std(ddof=1))
    one_more = std * math.sqrt(1.0 + 1.0 / n)
    reach = float(stdtrit(n - 1, 0.5 + COVERED / 2)) * one_more
    distance = None if own is None or one_more <= 0 else (own - mean) / one_more
    return {"own": own, "mean": mean, "std": std, "low": mean - reach, "high": mean + reach, "distance": distance}
