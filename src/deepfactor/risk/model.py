"""`RiskModel`: a risk model of a market, as it was at the close of each of its days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Dates, Float32, Float64, Indices, Integers, Ints, Symbols
from deepfactor.core.errors import DataError
from deepfactor.panel.universe import Universe
from deepfactor.risk.forecast import Forecast
from deepfactor.styles.base import StylesByDay
from deepfactor.styles.completion import complete_exposures


@dataclass(frozen=True)
class RiskModel:
    """Forecasts of T days, row t known at the close of t; k factors, N stocks, M forecasts of a stock and day.

    Attributes
    ----------
    dates : (T,)
    symbols : (N,) of the market that it was opened for
    factors : k names: the market, industries, the group of those without one, styles
    styles : names of the styles, the last of the factors
    returns : (T, k) float64
        of the factors; NaN = none that day.
    covariance : (T, k, k) float64
        of the factors, a year; NaN where there is no forecast yet.
    explained : (T,) share of squared returns that the factors explain
    regimes : (T, 2) λ of factors and of stocks
    ends : (T,) int64
        where the stocks of each day end in `stock` and `specific`.
    stock : (M,) positions in `column`
    specific : (M,) float32
        specific standard deviation, a year.
    column : columns of the stocks in `symbols`
    name : of the style set, for readers
    """

    dates: Dates
    symbols: Symbols
    factors: tuple[str, ...]
    styles: tuple[str, ...]
    returns: Float64
    covariance: Float64
    explained: Float64
    regimes: Float64
    ends: Ints
    stock: Integers
    specific: Float32
    column: Indices
    name: str = ""

    def deviation(self, row: int) -> Float64:
        """(N,) specific standard deviation a year at the close of `row`; NaN = no forecast."""
        own = slice(int(self.ends[row - 1]) if row else 0, int(self.ends[row]))
        out = np.full(len(self.symbols), np.nan)
        out[self.column[self.stock[own]]] = self.specific[own]
        return out

    def ready(self, row: int) -> bool:
        """Whether there is a forecast at the close of `row`."""
        return bool(np.isfinite(self.covariance[row]).all())

    def forecast(self, row: int, names: Indices, group: Integers, styles: Mapping[str, Float64]) -> Forecast:
        """Of the columns `names` (n,) with industries `group` (n,), −1 = unknown, and `styles` (n,), none missing.

        Raises
        ------
        DataError
            the model has no forecast on that day, or is of other styles.
        """
        self._require(row, styles)
        deviation = self.deviation(row)[names]
        return Forecast.of(
            self.factors, np.asarray(self.covariance[row]), deviation, group.astype(np.intp), dict(styles)
        )

    def of_market(self, row: int, names: Indices, universe: Universe, styles: StylesByDay) -> Forecast:
        """The same of a market's arrays, missing exposures filled in as for the optimiser."""
        industry = universe.industry[row]
        exposures, _ = complete_exposures(styles, row, names, industry)
        return self.forecast(row, names, industry[names], exposures)

    def _require(self, row: int, styles: Mapping[str, Float64]) -> None:
        if tuple(styles) != self.styles:
            raise DataError(f"the risk model has the styles {', '.join(self.styles)}, not {', '.join(styles)}")
        if not self.ready(row):
            first = np.flatnonzero(np.isfinite(self.covariance).all(axis=(1, 2)))
            since = f"its first is of {self.dates[first[0]]}" if len(first) else "the market is too short for one"
            raise DataError(f"the risk model has no forecast on {self.dates[row]}: {since}")
