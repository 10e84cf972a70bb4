"""Is a Sharpe ratio more than the best of many tries? The deflated Sharpe ratio of Bailey and López de Prado (2014).

Of N strategies without any skill the best has a Sharpe ratio well above zero. So a ratio is held against what the best
of as many tries is expected to have, and the spread of a ratio is that of returns with skew and fat tails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from deepfactor.core.arrays import Float64, Floats

#: Euler's and Mascheroni's.
_GAMMA = 0.5772156649015329


@dataclass(frozen=True)
class ReturnMoments:
    """Of a series of returns: Sharpe ratio a period (not a year), skewness, kurtosis (3 = normal), length."""

    sharpe: float
    skew: float
    kurtosis: float
    n: int


def moments_of(returns: Floats) -> ReturnMoments | None:
    """Moments of the finite returns (n,), population ones but for the ratio's sample deviation; None where they don't
    vary or are fewer than three."""
    known: Float64 = np.asarray(returns, np.float64)
    known = known[np.isfinite(known)]
    spread = float(known.std(ddof=1)) if len(known) > 2 else 0.0
    if spread <= 0.0:
        return None
    z = (known - known.mean()) / known.std()
    return ReturnMoments(float(known.mean()) / spread, float((z**3).mean()), float((z**4).mean()), len(known))


def expected_best(trials: int, variance: float) -> float:
    """What the best Sharpe ratio of `trials` independent tries without skill is expected to be; 0 of a single one.

    `variance` of the tries' ratios. False Strategy theorem: σ((1 − γ)Φ⁻¹(1 − 1/N) + γΦ⁻¹(1 − 1/(Ne))).
    """
    if trials < 2 or variance <= 0.0:
        return 0.0
    first, second = (float(ndtri(1.0 - 1.0 / n)) for n in (trials, trials * math.e))
    return math.sqrt(variance) * ((1.0 - _GAMMA) * first + _GAMMA * second)


def deflated_sharpe(own: ReturnMoments, trials: int, variance: float) -> float:
    """Probability that the true Sharpe ratio is above zero, given that the best of `trials` was chosen.

    Tries that are alike count as one each: for them it is too strict. NaN where the ratio's spread isn't defined.

    Examples
    --------
    The paper's own: 100 tries with a variance of ½ a year; a ratio of 2.5 over five years, skew −3, kurtosis 10.

    >>> own = ReturnMoments(2.5 / 250**0.5, -3.0, 10.0, 1250)
    >>> round(deflated_sharpe(own, 100, 0.5 / 250), 2)
    0.9
    """
    spread = 1.0 - own.skew * own.sharpe + (own.kurtosis - 1.0) / 4.0 * own.sharpe**2
    if spread <= 0.0:
        return math.nan
    above = own.sharpe - expected_best(trials, variance)
    return float(ndtr(above * math.sqrt(own.n - 1) / math.sqrt(spread)))
