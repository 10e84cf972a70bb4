"""`Styles`: style exposures of every stock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Protocol

import numpy as np

from deepfactor.core.arrays import Float32, Float64, Floats
from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec
from deepfactor.core.words import Sentence
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

#: Rows (days) worked on at once: bounds the memory of a set to little more than its descriptors.
_BLOCK = 64
#: So many last days of a panel, which an evening reads, and one that catches up, are described without those before.
RECENT = (4, 64)
#: Days kept for who reads day by day: a day, the one before, and a few more.
_KEPT = 4
#: Why all styles of a set are absent.
NO_WEIGHTS = Sentence("the market has no {field}: nothing can be weighted", "市场数据没有{field}：无法加权")

ExposuresByStyle = Mapping[str, Float32]


class ByDay(Protocol):
    """(T, N) read a day at a time: an array, or what computes a day when it is asked for."""

    def __getitem__(self, row: int, /) -> Floats:
        """(N,) of day `row`."""


StylesByDay = Mapping[str, ByDay]


class RowsOf(Protocol):
    """(T, N) read some days at a time: an array, or what computes them when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, N)."""

    def __getitem__(self, rows: slice, /) -> Floats:
        """(B, N) of these days."""


@dataclass(frozen=True)
class Styles:
    """Exposures of a style set.

    Attributes
    ----------
    exposures : mapping of style name to (T, N) float32
        z-scored a day (cap-weighted mean 0, equal-weighted standard deviation 1); NaN = no exposure.
    absent : mapping of style name to why this market can't have it.
    """

    exposures: ExposuresByStyle
    absent: Mapping[str, str]

    def of_days(self, rows: slice) -> ExposuresByStyle:
        """Exposures (B, N) of some days; those of other days aren't computed for it."""
        if isinstance(self.exposures, CombinedStyles):
            return self.exposures.of_days(rows)
        return {name: values[rows] for name, values in self.exposures.items()}

    def by_day(self) -> StylesByDay:
        """The exposures for who reads a few days; the others aren't computed for it."""
        if isinstance(self.exposures, CombinedStyles):
            return {name: _Days(self.exposures, name) for name in self.exposures}
        return self.exposures


class CombinedStyles(Mapping[str, Float32]):
    """Styles (T, N) float32 out of raw descriptors, both computed when they are asked for.

    `describe` says the `descriptors` (T − first, N) of the days from a row `first` on: of all, or of the panel's last
    few (`RECENT`), to the same bits. `combine` gets the descriptors and market values of some days, float64, and says
    the styles of these days; days don't know of each other. A stock without market value (not listed) is in no
    cross-section.
    """

    def __init__(
        self,
        descriptors: Collection[str],
        describe: Callable[[int], Mapping[str, Floats]],
        cap: RowsOf,
        combine: Callable[[Mapping[str, Float64], Float64], Mapping[str, Float64]],
    ) -> None:
        self._describe, self._cap, self._combine = describe, cap, combine
        self._described: tuple[int, Mapping[str, Floats]] | None = None
        nothing = np.empty((0, cap.shape[1]))
        self._names = tuple(combine(dict.fromkeys(descriptors, nothing), nothing))
        self._days: dict[int, ExposuresByStyle] = {}

    def of_days(self, rows: slice) -> ExposuresByStyle:
        """The styles (B, N) of some days."""
        rows = slice(*rows.indices(self._cap.shape[0]))
        first, described = self._since(rows.start)
        own = slice(rows.start - first, rows.stop - first)
        cap = self._cap[rows].astype(np.float64)
        known = np.isfinite(cap)
        day = {name: np.where(known, x[own].astype(np.float64), np.nan) for name, x in described.items()}
        return {name: value.astype(np.float32) for name, value in self._combine(day, cap).items()}

    def _since(self, row: int) -> tuple[int, Mapping[str, Floats]]:
        """Descriptors of the days from a row at or before `row` on, and that row."""
        if self._described is None or self._described[0] > row:
            recent = (self._cap.shape[0] - days for days in RECENT)
            first = next((first for first in recent if 0 < first <= row), 0)
            self._described = first, self._describe(first)
        return self._described

    def day(self, row: int) -> ExposuresByStyle:
        """The styles (N,) of a day; those of the last few days asked for are kept."""
        row = range(self._cap.shape[0])[row]
        if row not in self._days:
            while len(self._days) >= _KEPT:
                del self._days[next(iter(self._days))]
            self._days[row] = {name: values[0] for name, values in self.of_days(slice(row, row + 1)).items()}
        return self._days[row]

    @cached_property
    def _all_days(self) -> dict[str, Float32]:
        out = {name: np.empty(self._cap.shape, np.float32) for name in self._names}
        for first in range(0, self._cap.shape[0], _BLOCK):
            rows = slice(first, first + _BLOCK)
            for name, values in self.of_days(rows).items():
                out[name][rows] = values
        return out

    def __getitem__(self, name: str) -> Float32:
        return self._all_days[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class _Days:
    """A style of a set, day by day."""

    of: CombinedStyles
    name: str

    def __getitem__(self, row: int, /) -> Float32:
        return self.of.day(row)[self.name]


class StyleKind(Protocol[SettingsOf]):
    """A file of this room."""

    def compute(self, settings: SettingsOf, panel: Panel, universe: Universe, /) -> Styles:
        """The styles of every stock and day; what the market can't give is in `absent`."""


ROOM: Room[StyleKind[Spec], Spec] = Room("deepfactor.styles")
StyleSet = Annotated[Chosen[StyleKind[Spec], Spec], ROOM]
"""The styles that a recipe, a command or a constraint file means."""
