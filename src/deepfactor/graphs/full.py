"""`full`: every stock related to every other; the ablation that leaves all to the attention.

Work and memory grow with the square of the stocks: at 5000 stocks and four heads the attention's weights alone are
400 MB a day. Meant for small universes and large machines.
"""

from __future__ import annotations

import numpy as np

from deepfactor.core.arrays import Ints
from deepfactor.core.spec import Spec
from deepfactor.graphs.base import Edges, together
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe


class Settings(Spec):
    """Nothing to set."""


def edges(settings: Settings, panel: Panel, universe: Universe, row: int, columns: Ints) -> Edges:
    """Everyone is everyone's neighbour, similarity 1."""
    return together(np.zeros(len(columns), dtype=np.int64))
