"""`neighbours`: who is related to whom within the batch: up to m positions of each stock, (b, m) int64, −1 = no
neighbour, and as `similarity` (b, m) float32 how alike they are in the graph's own measure, 0 where there is none.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from pydantic import Field

from deepfactor.core.arrays import Bools
from deepfactor.core.spec import Spec
from deepfactor.graphs.base import ROOM as GRAPHS
from deepfactor.graphs.base import Graph
from deepfactor.inputs.relations import Relations, relations
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe

KEPT: Final = True
FOLDER = "graph"
HELD = Relations


class Settings(Spec):
    """Whose neighbours."""

    graph: Graph = Field(default_factory=lambda: GRAPHS.choose("fundamental"), description="who is related to whom")

    def identity(self) -> dict[str, object]:
        """The graph's."""
        return self.graph.identity()


def prepare(settings: Settings, panel: Panel, universe: Universe, eligible: Bools) -> Relations:
    """The graph of every month's end."""
    edges = partial(settings.graph.part.edges, settings.graph.settings, panel, universe)
    return relations(edges, universe, eligible)
