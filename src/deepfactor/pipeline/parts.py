"""From a market and an arm to the parts of the training arrays that the arm's network alone reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from deepfactor.core.errors import DataError
from deepfactor.features.quarters import fundamental_quarters
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.pipeline.markets import Market
from deepfactor.recipe import Recipe
from deepfactor.training.arms import Arm
from deepfactor.training.data import Arrays
from deepfactor.training.exposures import Exposures
from deepfactor.training.parts import prepare_part
from deepfactor.training.relations import relations


def prepare_arrays(
    recipe: Recipe,
    market: Market,
    arrays: Path,
    arm: Arm,
    tell: Callable[[str], None] = lambda _: None,
) -> Arrays:
    """The training arrays in the folder `arrays`, with the parts that `arm` reads, made once a market and setting.

    `tell` is told of damaged ones made again.

    Raises
    ------
    DataError
        the market can't give a part.
    """
    read = arm.scorer.reads()
    panel, universe = market.panel, market.universe
    found = {}
    if "fundamentals" in read:
        own = recipe.fundamentals
        found["fundamentals"] = prepare_part(
            arrays, "fundamentals", own.identity(), lambda: fundamental_quarters(own, panel), tell
        )
    if "neighbours" in read and arm.graph is not None:
        edges = partial(arm.graph.part.edges, arm.graph.settings, panel, universe)
        found["graph"] = prepare_part(
            arrays,
            "graph",
            arm.graph.identity(),
            lambda: relations(edges, universe, universe.eligible(recipe.universe)),
            tell,
        )
    if "exposures" in read:
        found["exposures"] = prepare_part(arrays, "exposures", {}, lambda: exposures(panel, universe), tell)
    return Arrays(arrays, found)


def exposures(panel: Panel, universe: Universe) -> Exposures:
    """Industry and book to price of all stocks.

    Raises
    ------
    DataError
        a market without the companies' equity or their market values.
    """
    reports = panel.fundamentals
    if reports is None or "total_equity" not in reports.items or "total_mv" not in panel.fields:
        raise DataError("exposures to project out need the companies' total_equity and total_mv: ingest them")
    value = np.asarray(panel["total_mv"], np.float64)
    bp = np.divide(reports.in_force("total_equity"), value, where=value > 0, out=np.full(value.shape, np.nan))
    return Exposures(universe.industries, np.asarray(universe.industry), bp.astype(np.float32))
