"""What a program has beside its linear part: a limit on the tracking error, and a price of the active variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from deepfactor.core.arrays import Float64, Indices
from deepfactor.risk.forecast import Forecast


@dataclass(frozen=True)
class RiskTerm:
    """Risk of active weights = start + purchases − sales, by which a program is limited or charged.

    Attributes
    ----------
    forecast : of the n names
    start : (n,) active weights before any trade
    buys, sells : names whose purchases, then sales, are the first columns of the program
    limit : tracking error a year at most; None = no limit
    slack : column by which the limit may be exceeded; None = by nothing
    aversion : what a unit of active variance costs of the objective
    same : (row of the program, factor) of rows that are a factor's exposure, but for a constant
    """

    forecast: Forecast
    start: Float64
    buys: Indices
    sells: Indices
    limit: float | None
    slack: int | None
    aversion: float
    same: tuple[tuple[int, int], ...]

    def active(self, x: Float64) -> Float64:
        """(n,) active weights of a solution."""
        out, bought = self.start.copy(), len(self.buys)
        out[self.buys] += x[:bought]
        out[self.sells] -= x[bought : bought + len(self.sells)]
        return out

    def on_columns(self, by_name: Float64, columns: int) -> Float64:
        """(columns,) what a gradient (n,) in weights is in the program's columns."""
        out, bought = np.zeros(columns), len(self.buys)
        out[:bought] = by_name[self.buys]
        out[bought : bought + len(self.sells)] = -by_name[self.sells]
        return out

    def traded(self, columns: int) -> sparse.csc_array:
        """(n, columns) from columns to changes of weights."""
        bought, sold = len(self.buys), len(self.sells)
        value = np.concatenate([np.ones(bought), -np.ones(sold)])
        at = (np.concatenate([self.buys, self.sells]), np.arange(bought + sold))
        return sparse.csc_array((value, at), shape=(len(self.start), columns))

    def kept(self, x: Float64, margin: float) -> bool:
        """Whether a solution keeps the limit."""
        if self.limit is None:
            return True
        more = 0.0 if self.slack is None else float(x[self.slack])
        return self.forecast.tracking_error(self.active(x)) <= self.limit + more + margin
