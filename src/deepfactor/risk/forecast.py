"""What a portfolio's active weights are forecast to vary by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deepfactor.core.arrays import Float64, Indices


@dataclass(frozen=True)
class Forecast:
    """Risk of n names at the close of a day: V = Xᵀ F X + diag(d), all a year.

    Attributes
    ----------
    factors : k names: the market, industries, the group of those without one, styles
    exposures : (k, n) float64
    covariance : (k, k) float64
        variances and covariances of the factors.
    specific : (n,) float64
        variances of what no factor explains.
    filled : how many names had no forecast of their own and were given the day's median
    """

    factors: tuple[str, ...]
    exposures: Float64
    covariance: Float64
    specific: Float64
    filled: int = 0

    @classmethod
    def of(
        cls,
        factors: tuple[str, ...],
        covariance: Float64,
        deviation: Float64,
        group: Indices,
        styles: Mapping[str, Float64],
    ) -> Forecast:
        """Of names with groups (n,), −1 = none known, and styles (n,); `deviation` (n,) specific, NaN = no forecast."""
        groups = len(factors) - 1 - len(styles)
        known = np.isfinite(deviation)
        middle = float(np.median(deviation[known])) if known.any() else 0.0
        dummies = np.arange(groups)[:, None] == np.asarray(group) % groups
        ones = np.ones((1, len(deviation)))
        exposures = np.concatenate([ones, dummies, *(x[None, :] for x in styles.values())])
        return cls(factors, exposures, covariance, np.where(known, deviation, middle) ** 2, int((~known).sum()))

    @cached_property
    def root(self) -> Float64:
        """(k, n) R with Rᵀ R = Xᵀ F X."""
        values, vectors = np.linalg.eigh(self.covariance)
        return np.asarray((np.sqrt(np.maximum(values, 0.0)) * vectors).T @ self.exposures)

    def variance(self, active: Float64) -> float:
        """Of active weights (n,), a year."""
        return float(((self.root @ active) ** 2).sum() + (self.specific * active**2).sum())

    def tracking_error(self, active: Float64) -> float:
        """Standard deviation of the active return, a year."""
        return float(np.sqrt(self.variance(active)))

    def times(self, active: Float64) -> Float64:
        """(n,) V × active weights: covariance of each name's return with the active one."""
        return np.asarray(self.root.T @ (self.root @ active) + self.specific * active)

    def specific_share(self, active: Float64) -> float:
        """Share of the active variance that no factor explains; 0 without any risk."""
        total = self.variance(active)
        return float((self.specific * active**2).sum() / total) if total > 0 else 0.0

    def factor_contributions(self, active: Float64) -> Float64:
        """(k,) what each factor adds to the tracking error; with the specific part they add up to it."""
        exposure = self.exposures @ active
        deviation = self.tracking_error(active)
        return np.asarray(exposure * (self.covariance @ exposure) / deviation) if deviation > 0 else 0.0 * exposure

    def factor_marginal(self, active: Float64) -> Float64:
        """(k,) by how much the tracking error rises a unit of active exposure to each factor."""
        exposure = self.exposures @ active
        deviation = self.tracking_error(active)
        return np.asarray(self.covariance @ exposure / deviation) if deviation > 0 else 0.0 * exposure

    def name_contributions(self, active: Float64) -> Float64:
        """(n,) what each name adds to the tracking error; they add up to it."""
        deviation = self.tracking_error(active)
        return np.asarray(active * self.times(active) / deviation) if deviation > 0 else 0.0 * active
