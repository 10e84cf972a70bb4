"""Exponentially weighted second moments with lags, day by day, of series that have gaps.

Sums, not means: a day's update is a handful of operations, whatever went before, so that a model grows linearly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepfactor.core.arrays import Float64

#: A lag sum may take this share of a variance away at most.
_LEAST = 0.1


def decay_of(half_life: float) -> float:
    """A day's weight beside that of the next."""
    return float(0.5 ** (1.0 / half_life))


@dataclass(frozen=True)
class Moments:
    """Weighted sums of products of k series.

    Attributes
    ----------
    weight : (k,), or (k, k) of pairs
        sum of the weights of the days on which the series (both of them) are known.
    sums : (L + 1, k), or (L + 1, k, k)
        of today's value × that of 0 … L days before; a missing value counts as 0, the mean.
    """

    weight: Float64
    sums: Float64

    @classmethod
    def none(cls, k: int, lags: int, *, pairs: bool = False) -> Moments:
        """Before the first day."""
        shape = (k, k) if pairs else (k,)
        return cls(np.zeros(shape), np.zeros((lags + 1, *shape)))

    def after(self, recent: Float64, decay: float) -> Moments:
        """A day later; `recent` (≥ L + 1, k) are the values of today, yesterday …, NaN = missing."""
        known = np.isfinite(recent[0])
        values = np.where(np.isfinite(recent), recent, 0.0)[: len(self.sums)]
        if self.weight.ndim == 1:
            return replace(self, weight=decay * self.weight + known, sums=decay * self.sums + values[0] * values)
        both = known[:, None] & known
        products = values[0][:, None] * values[:, None, :]
        return replace(self, weight=decay * self.weight + both, sums=decay * self.sums + products)

    def variance(self) -> Float64:
        """(k,) mean squares of a day, without lags; NaN where nothing is known."""
        known = self.weight > 0
        return np.asarray(np.where(known, self.sums[0], np.nan) / np.where(known, self.weight, 1.0))

    def newey_west(self) -> Float64:
        """Variances (k,), or covariances (k, k), a day in the long run (Newey, West, 1987: Bartlett's weights).

        A variance is at least a tenth of what it is without lags.
        """
        lags = len(self.sums) - 1
        total = self.sums[0].copy()
        for lag in range(1, lags + 1):
            one = self.sums[lag]
            total += (1.0 - lag / (lags + 1)) * (one + (one.T if one.ndim == 2 else one))
        out = np.where(self.weight > 0, total, np.nan) / np.where(self.weight > 0, self.weight, 1.0)
        return out if out.ndim == 2 else np.maximum(out, _LEAST * self.variance())
