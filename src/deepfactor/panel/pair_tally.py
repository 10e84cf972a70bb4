"""One quantity of two markets: days and stocks that both have, counts a day, and the worst day of each stock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from deepfactor.core.arrays import AnyArray, Bools, Dates, Float64, Floats, Indices, Symbols
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

Side = tuple[Panel, Universe]
#: Trading days that are held at once.
_BLOCK = 256


@dataclass(frozen=True)
class Counts:
    """Stock-days of a year: both have a value; these differ; only the first, only the second has one.

    Of flags (listed, suspended, ST, members) both always have one: `only_a` and `only_b` are those that only one
    raises, and together `differ`.
    """

    compared: int
    differ: int
    only_a: int
    only_b: int


@dataclass(frozen=True)
class Case:
    """The day on which a stock differs most: both values, how far apart, and on how many days it differs.

    `a` and `b` are None where that market has none, text for industries."""

    symbol: str
    date: str
    a: float | str | None
    b: float | str | None
    size: float
    days: int


@dataclass(frozen=True)
class Difference:
    """What two markets say of one quantity.

    Attributes
    ----------
    quantity, group : its name (an index's behind a point, as in ``members.000300.SH``); what it is part of
    tolerance, relative : how far apart values of one thing may lie, as they are or as a share of the larger one
    by_year : year → counts
    stocks : that differ, or that only one market has a value of, on any day
    worst : of the stocks that differ most, the worst first
    """

    quantity: str
    group: str
    tolerance: float
    relative: bool
    by_year: dict[int, Counts]
    stocks: int
    worst: tuple[Case, ...]

    def total(self) -> Counts:
        """Of all years."""
        years = self.by_year.values()
        names = ("compared", "differ", "only_a", "only_b")
        return Counts(*(sum(getattr(one, name) for one in years) for name in names))


@dataclass(frozen=True)
class Common:
    """Days and stocks of both: their places in each, the days' place before, the years."""

    a: Side
    b: Side
    dates: Dates
    symbols: Symbols
    rows: tuple[Indices, Indices]
    columns: tuple[Indices, Indices]

    def blocks(self) -> Iterator[slice]:
        """Days, some at once."""
        for first in range(0, len(self.dates), _BLOCK):
            yield slice(first, min(first + _BLOCK, len(self.dates)))

    def taken(self, name: Callable[[Side], AnyArray], block: slice) -> tuple[AnyArray, AnyArray]:
        """An array (T, N) of each market at the days of a block and the common stocks."""
        sides = zip((self.a, self.b), self.rows, self.columns, strict=True)
        one, two = (name(side)[np.ix_(rows[block], columns)] for side, rows, columns in sides)
        return one, two


@dataclass
class Tally:
    """Counts a day and worst days a stock of one quantity, filled block by block."""

    common: Common
    quantity: str
    group: str
    tolerance: float
    relative: bool
    worst: int
    labels: Symbols
    by_days: bool = False
    say: Callable[[float], float | str] = float
    rows: Float64 = field(init=False)
    best: Float64 = field(init=False)
    where: Indices = field(init=False)
    values: Float64 = field(init=False)
    days: Indices = field(init=False)

    def __post_init__(self) -> None:
        stocks = len(self.labels)
        self.rows = np.zeros((4, len(self.common.dates)))
        self.best, self.where = np.full(stocks, -1.0), np.zeros(stocks, np.intp)
        self.values, self.days = np.full((2, stocks), np.nan), np.zeros(stocks, np.intp)

    def add(self, block: slice, a: Floats, b: Floats, mask: Bools) -> None:
        """Values (days of the block, stocks) of both, NaN = none, where `mask` holds."""
        flags = a.dtype == np.bool_
        a, b = a.astype(np.float64), b.astype(np.float64)
        known_a, known_b = np.isfinite(a) & mask, np.isfinite(b) & mask
        with np.errstate(invalid="ignore"):
            apart = np.abs(a - b)
            size = apart / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-300) if self.relative else apart
        both = known_a & known_b
        differ = both & (size > self.tolerance)
        only_a, only_b = (differ & (a > b), differ & (b > a)) if flags else (known_a & ~known_b, known_b & ~known_a)
        for k, counted in enumerate((both, differ, only_a, only_b)):
            self.rows[k, block] = counted.sum(axis=1)
        alone = only_a | only_b
        self.days += (differ | alone).sum(axis=0)
        # A value that one market lacks is worse than none, less than any that differs.
        found = np.where(differ, 1.0 if self.by_days else size, np.where(alone, 0.0, -1.0))
        at = found.argmax(axis=0)
        largest = np.take_along_axis(found, at[None], axis=0)[0]
        new = largest > self.best
        self.best[new], self.where[new] = largest[new], at[new] + block.start
        for k, side in enumerate((a, b)):
            given = np.take_along_axis(np.where(mask, side, np.nan), at[None], axis=0)[0]
            self.values[k][new] = given[new]

    def made(self) -> Difference:
        """The result; the worst are those that are farthest apart, or, `by_days`, apart for longest."""
        years = self.common.dates.astype("datetime64[Y]").astype(int) + 1970
        counts = {}
        for year in np.unique(years):
            here = years == year
            counts[int(year)] = Counts(*(int(row[here].sum()) for row in self.rows))
        found = np.flatnonzero(self.days)
        key = (self.days, self.best) if self.by_days else (self.best, self.days)
        order = found[np.lexsort((found, -key[1][found], -key[0][found]))]
        cases = tuple(self._case(i) for i in order[: self.worst])
        return Difference(self.quantity, self.group, self.tolerance, self.relative, counts, len(found), cases)

    def _case(self, i: int) -> Case:
        a, b = (None if np.isnan(one) else self.say(float(one)) for one in self.values[:, i])
        day = str(self.common.dates[self.where[i]])
        return Case(str(self.labels[i]), day, a, b, float(self.best[i]), int(self.days[i]))
