"""A market with company reports, and all inputs beside windows from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deepfactor.core.arrays import Bools
from deepfactor.core.kind import Kind
from deepfactor.graphs.base import ROOM as GRAPHS
from deepfactor.inputs import exposures, fundamentals, neighbours
from deepfactor.inputs.relations import Relations
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.training.stored import StoredInputs
from support.filings import random_fundamentals
from support.toy import toy_market

ITEMS = ("net_profit_ytd", "revenue_ytd", "operating_cost_q", "total_equity", "total_assets", "total_liabilities")
CONTENT = {"fundamentals": {}, "graph": {"kind": "fundamental", "k": 4}, "exposures": {}}


def company_market(days: int = 120, stocks: int = 40, seed: int = 0) -> tuple[Panel, Universe]:
    """`toy_market` with turnover and company reports, in figures of the size of its market values."""
    panel, universe = toy_market(days, stocks, seed)
    reports = random_fundamentals(seed, ITEMS, stocks=stocks, days=days, years=6)
    items = {name: replace(events, value=1e9 * events.value) for name, events in reports.items.items()}
    turnover = (panel["volume"] / (panel["float_mv"] / panel["close"])).astype(np.float32)
    fields = {**panel.fields, "turnover": turnover}
    return replace(panel, fields=fields, fundamentals=replace(reports, items=items)), universe


def graph_of(
    panel: Panel, universe: Universe, eligible: Bools, kind: str = "fundamental", **settings: object
) -> Relations:
    graph = GRAPHS.choose(Kind(kind=kind, **settings))
    return neighbours.prepare(neighbours.Settings(graph=graph), panel, universe, eligible)


def all_parts(panel: Panel, universe: Universe, eligible: Bools) -> StoredInputs:
    """Everything that a network may read."""
    made = (panel, universe, eligible)
    held = {
        "fundamentals": fundamentals.prepare(fundamentals.Settings(), *made),
        "neighbours": graph_of(*made, k=4),
        "exposures": exposures.prepare(exposures.Settings(), *made),
    }
    return StoredInputs(held, CONTENT)


def other(stored: StoredInputs, name: str, **changes: object) -> StoredInputs:
    """Something of an input is otherwise."""
    return replace(stored, held={**stored.held, name: replace(stored.held[name], **changes)})
