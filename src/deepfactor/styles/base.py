"""`Styles`: style exposures of every stock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
#: Why all styles of a set are absent.
NO_WEIGHTS = Sentence("the market has no {field}: nothing can be weighted", "市场数据没有{field}：无法加权")

ExposuresByStyle = Mapping[str, Float32]


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


class CombinedStyles(Mapping[str, Float32]):
    """Styles (T, N) float32 out of raw descriptors (T, N), computed when they are asked for.

    `combine` gets the descriptors and market values of some days, float64, and says the styles of these days; days
    don't know of each other. A stock without market value (not listed) is in no cross-section.
    """

    def __init__(
        self,
        descriptors: Mapping[str, Floats],
        cap: Floats,
        combine: Callable[[Mapping[str, Float64], Float64], Mapping[str, Float64]],
    ) -> None:
        self._descriptors, self._cap, self._combine = descriptors, cap, combine
        self._names = tuple(self.of_days(slice(0, 0)))

    def of_days(self, rows: slice) -> ExposuresByStyle:
        """The styles (B, N) of some days."""
        cap = self._cap[rows].astype(np.float64)
        known = np.isfinite(cap)
        day = {name: np.where(known, x[rows].astype(np.float64), np.nan) for name, x in self._descriptors.items()}
        return {name: value.astype(np.float32) for name, value in self._combine(day, cap).items()}

    @cached_property
    def _all_days(self) -> dict[str, Float32]:
        out = {name: np.empty(self._cap.shape, np.float32) for name in self._names}
        for first in range(0, len(self._cap), _BLOCK):
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


class StyleKind(Protocol[SettingsOf]):
    """A file of this room."""

    def compute(self, settings: SettingsOf, panel: Panel, universe: Universe, /) -> Styles:
        """The styles of every stock and day; what the market can't give is in `absent`."""


ROOM: Room[StyleKind[Spec], Spec] = Room("deepfactor.styles")
StyleSet = Annotated[Chosen[StyleKind[Spec], Spec], ROOM]
"""The styles that a recipe, a command or a constraint file means."""
