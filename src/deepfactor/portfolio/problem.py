"""One day's rebalance: the facts that go in, the rows that a constraint makes of them, the target that comes out.

All weights are fractions of the book's value. The arrays of one `Rebalance` are aligned over its n names, which must
include every held name and every name of the index.

**Active** means against the invested part of the book: with cash c, the reference of a name is (1 - c) * benchmark. A
fully invested index can't be matched by a book that holds cash; measured this way the active weights sum to zero, and
"industry neutral" can hold exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np

from deepfactor.core.arrays import Bools, Float64, Integers, Symbols
from deepfactor.core.errors import DataError, DeepfactorError, UserError
from deepfactor.risk.forecast import Forecast

#: What one row of the result may be off by before it counts as a fault (fraction of the book, or style exposure).
TOLERANCE = 1e-7


class InfeasibleError(UserError):
    """No portfolio keeps the constraints, also after everything that may be relaxed was relaxed.

    `conflict` holds (constraint, row) of a smallest set of rows that can't hold together.
    """

    def __init__(self, message: str, conflict: tuple[tuple[str, str], ...]) -> None:
        self.conflict = conflict
        super().__init__(message)


class SolverError(DeepfactorError):
    """The solver ended without an optimum, or its answer does not stand up to our own check."""


@dataclass(frozen=True)
class Rebalance:
    """The facts of one rebalance, known at the close of signal day t. n names.

    Attributes
    ----------
    date : datetime64[D]
        the signal day.
    symbols : (n,) str
    score : (n,) float64
        z-scored over the investable names; 0 where there is none. NaN is refused.
    previous : (n,) float64
        weights of the book as it stands, drifted with prices; all zero before the first rebalance.
    benchmark : (n,) float64
        index weights; sum to 1.
    frozen : (n,) bool
        can't be traded (suspended, locked at a limit): the weight stays `previous`.
    buyable : (n,) bool
        may be bought; the others can only be held or sold.
    member : (n,) bool
        in the index.
    industry : (n,) int
        code, -1 = not known.
    styles : mapping of name to (n,) float64
        exposures; NaN is refused, the caller fills gaps (and counts them).
    first : bool
        built from cash: no turnover row.
    previous_target : (n,) float64, optional
        what the last rebalance aimed at; wanted only where turnover is counted from the target.
    industry_names : sequence of str
        name of industry code k at position k; empty = codes are shown.
    adv : (n,) float64, optional
        average amount traded in a day, CNY; 0 = no trade in the days averaged.
    value : float, optional
        of the book at the close, CNY; wanted with `adv` by limits on capacity.
    risk : Forecast, optional
        of the names; wanted by limits on the tracking error and by an aversion to risk.

    Raises
    ------
    DataError
        an array of another length, NaN, negative weights, or sums out of range; names the field.
    """

    date: np.datetime64
    symbols: Symbols
    score: Float64
    previous: Float64
    benchmark: Float64
    frozen: Bools
    buyable: Bools
    member: Bools
    industry: Integers
    styles: Mapping[str, Float64]
    first: bool
    previous_target: Float64 | None = None
    industry_names: tuple[str, ...] = ()
    adv: Float64 | None = None
    value: float | None = None
    risk: Forecast | None = None

    def __post_init__(self) -> None:
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays = {k: v for k, v in arrays.items() if isinstance(v, np.ndarray)}
        if self.risk is not None:
            arrays["risk"] = self.risk.specific
        arrays |= {f"styles.{k}": v for k, v in self.styles.items()}
        n = len(self.symbols)
        for name, values in arrays.items():
            if values.shape != (n,):
                raise DataError(f"rebalance of {self.date}: {name} has shape {values.shape}, wanted ({n},)")
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                bad = self.symbols[~np.isfinite(values)]
                raise DataError(
                    f"rebalance of {self.date}: {name} is not finite for {len(bad)} names, the first is {bad[0]}"
                )
        for name in (name for name in ("previous", "benchmark", "adv") if name in arrays):
            low = arrays[name].min(initial=0.0)
            if low < 0:
                raise DataError(f"rebalance of {self.date}: {name} has the negative value {low:.3g}")
        if self.value is not None and not self.value > 0:
            raise DataError(f"rebalance of {self.date}: the book's value is {self.value}, wanted more than 0")
        if abs((total := float(self.benchmark.sum())) - 1.0) > 1e-10:
            raise DataError(f"rebalance of {self.date}: benchmark weights sum to {total!r}, wanted 1")
        if (total := float(self.previous.sum())) > 1.0 + 1e-9:
            raise DataError(f"rebalance of {self.date}: previous weights sum to {total!r}, wanted at most 1")

    def __len__(self) -> int:
        return len(self.symbols)


class Limits(Protocol):
    """What `Rows` and `Bounds` share: named lines with a lower and an upper limit, in the unit that people read."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def lower(self) -> Float64: ...
    @property
    def upper(self) -> Float64: ...
    def label(self, k: int) -> str: ...
    def values(self, weights: Float64) -> Float64: ...


@dataclass(frozen=True)
class Rows:
    """m linear constraints: lower <= coefficients @ weights - reference <= upper.

    Attributes
    ----------
    name, family : str
        the constraint's kind, and the family under which a recipe's `relax_order` knows it.
    labels : m str
    coefficients : (m, n) float64
    lower, upper, reference : (m,) float64
        limits in the unit that people read (an active weight, an active exposure); infinite = no limit.
    origin : (n,) float64, optional
        if given, the row is on trades: coefficients (>= 0) @ |weights - origin|, and only `upper` may be finite.
    frees_cash : bool
        the rows limit the sum of weights themselves, which then need not be 1 - cash.
    """

    name: str
    family: str
    labels: tuple[str, ...]
    coefficients: Float64
    lower: Float64
    upper: Float64
    reference: Float64
    origin: Float64 | None = None
    frees_cash: bool = False

    def label(self, k: int) -> str:
        """What line k is called."""
        return self.labels[k]

    def values(self, weights: Float64) -> Float64:
        """(m,) what the rows come to at `weights`, in the unit of the limits."""
        inside = weights if self.origin is None else np.abs(weights - self.origin)
        return np.asarray(self.coefficients @ inside - self.reference)


@dataclass(frozen=True)
class Bounds:
    """A limit on each name alone: lower <= weights - reference <= upper. All (n,), `symbols` too; infinite = none."""

    name: str
    family: str
    symbols: Symbols
    lower: Float64
    upper: Float64
    reference: Float64

    def label(self, k: int) -> str:
        """The symbol of name k."""
        return str(self.symbols[k])

    def values(self, weights: Float64) -> Float64:
        """(n,) weights less reference."""
        return weights - self.reference


@dataclass(frozen=True)
class Deviation:
    """A limit on the standard deviation a year of the active return, weights less reference (n,) under `forecast`."""

    name: str
    family: str
    upper: Float64
    reference: Float64
    forecast: Forecast

    @property
    def lower(self) -> Float64:
        """(1,) no limit."""
        return np.full(1, -np.inf)

    def label(self, k: int) -> str:
        """What the line is called."""
        return "annual"

    def values(self, weights: Float64) -> Float64:
        """(1,) the deviation at `weights`."""
        return np.array([self.forecast.tracking_error(weights - self.reference)])

    def tangent(self, weights: Float64) -> Rows:
        """The limit as a row that has the deviation's value and slope at `weights`."""
        active = weights - self.reference
        slope = self.forecast.times(active) / max(self.forecast.tracking_error(active), 1e-300)
        return Rows(
            self.name,
            self.family,
            (self.label(0),),
            slope[None],
            self.lower,
            self.upper,
            np.array([slope @ self.reference]),
        )


#: What a constraint makes of a day.
Limit = Rows | Bounds | Deviation


@dataclass(frozen=True)
class Relaxation:
    """A limit that the target does not keep: `bound` was asked, `value` came out, both in the row's unit.

    `reason` is "frozen" or "not_buyable" where the name's own state leaves no choice. Else the rows could not hold
    together and this one gave way in the order of the recipe: "untradeable" where all could be kept if the frozen names
    could be traded, "infeasible" where not even then.
    """

    constraint: str
    row: str
    bound: float
    value: float
    reason: str


@dataclass(frozen=True)
class Binding:
    """A limit that the target touches. `shadow_price` = change of the objective per unit that `bound` is raised."""

    constraint: str
    row: str
    bound: float
    shadow_price: float


@dataclass(frozen=True)
class Target:
    """The best portfolio under the constraints.

    Attributes
    ----------
    weights : (n,) float64
        sum to 1 - cash (or to what a cash band allows); not clipped, not renormalised.
    objective : float
        sum of score * weight, less what an aversion to risk charges.
    relaxations, binding : tuples
        every limit that gave way; every limit that is touched at a price.
    conflict : tuple of (constraint, row)
        a smallest set of rows that could not hold together; empty if nothing had to be relaxed.
    status : "optimal" or "relaxed"
        "relaxed": optimal after at least one relaxation.
    iterations : int
        iterations of the solvers over all programs solved.
    primal_residual : float
        largest violation of any limit that stands, recomputed from the weights (weight or exposure).
    dual_residual : float
        largest dual price of a side that has no limit (0 in exact arithmetic).
    gap : float
        our own upper bound on the objective, from the duals, less the objective: proves the optimum.
    seconds : float
        wall time; not part of equality.
    """

    weights: Float64 = field(compare=False)
    objective: float
    relaxations: tuple[Relaxation, ...]
    binding: tuple[Binding, ...]
    conflict: tuple[tuple[str, str], ...]
    status: str
    iterations: int
    primal_residual: float
    dual_residual: float
    gap: float
    seconds: float = field(compare=False)
