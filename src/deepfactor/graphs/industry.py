"""`industry`: every stock related to all of its industry as of the last month's end; the ablation of `fundamental`.

A stock without industry is related to itself only, and so is every stock before the first month's end.
"""

from __future__ import annotations

from deepfactor.core.arrays import Ints
from deepfactor.core.spec import Spec
from deepfactor.graphs.base import Edges, alone, rebuilt, together
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe


class Settings(Spec):
    """Nothing to set."""


def edges(settings: Settings, panel: Panel, universe: Universe, row: int, columns: Ints) -> Edges:
    """Neighbours by industry, similarity 1; as many places as the largest industry has stocks."""
    at = rebuilt(universe, row)
    return alone(len(columns)) if at is None else together(universe.industry[at, columns])
