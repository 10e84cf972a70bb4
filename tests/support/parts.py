"""A market with company reports, and all parts of the training arrays from it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from deepfactor.core.arrays import Bools
from deepfactor.core.kind import load_kind
from deepfactor.features.quarters import QuarterSettings, fundamental_quarters
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.pipeline.parts import exposures
from deepfactor.training.parts import Parts
from deepfactor.training.relations import Relations, relations
from support.filings import random_fundamentals
from support.toy import toy_market

ITEMS = ("net_profit_ytd", "revenue_ytd", "operating_cost_q", "total_equity", "total_assets", "total_liabilities")
CONTENT = {"fundamentals": {}, "graph": {"kind": "fundamental", "k": 4}, "exposures": {}}


def company_market(days: int = 120, stocks: int = 40, seed: int = 0) -> tuple[Panel, Universe]:
    """`toy_market` with company reports, in figures of the size of its market values."""
    panel, universe = toy_market(days, stocks, seed)
    reports = random_fundamentals(seed, ITEMS, stocks=stocks, days=days, years=6)
    items = {name: replace(events, value=1e9 * events.value) for name, events in reports.items.items()}
    return replace(panel, fundamentals=replace(reports, items=items)), universe


def graph_of(
    panel: Panel, universe: Universe, eligible: Bools, kind: str = "fundamental", **settings: object
) -> Relations:
    module = load_kind("deepfactor.graphs", kind)
    return relations(partial(module.edges, module.Settings(**settings), panel, universe), universe, eligible)


def all_parts(panel: Panel, universe: Universe, eligible: Bools) -> Parts:
    """Everything that a network may read."""
    quarters = fundamental_quarters(QuarterSettings(), panel)
    return Parts(quarters, graph_of(panel, universe, eligible, k=4), exposures(panel, universe), CONTENT)
