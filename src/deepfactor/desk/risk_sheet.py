"""The forecast active risk of a rebalance: before it, at its target, and after the expected fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.result import Columns
from deepfactor.core.arrays import Float64, Strings
from deepfactor.desk.sheet import BeforeAndAfter
from deepfactor.portfolio.problem import Rebalance

#: Names whose contributions are shown: those that add most at the target.
SHOWN = 10


@dataclass(frozen=True)
class RiskSheet(Columns):
    """A line a figure, all of them a year.

    `kind`: "tracking_error"; "specific_share" of the variance; "style" and "industries", what they add to the tracking
    error; "marginal", by how much that rises a unit of exposure to a style; "name", what a name adds, the ten largest.
    """

    kinds = ("U1", "U1", "f8", "f8", "f8")

    kind: Strings
    name: Strings
    before: Float64
    target: Float64
    expected: Float64


def risk_sheet(r: Rebalance, invested: float, weights: BeforeAndAfter) -> RiskSheet | None:
    """The sheet of a rebalance; `invested` = 1 − cash, what the index is scaled to. None without a risk model."""
    if (risk := r.risk) is None:
        return None
    three = [w - invested * r.benchmark for w in (weights.before, weights.target, weights.expected)]
    lines: list[tuple[str, str, list[float]]] = [
        ("tracking_error", "annual", [risk.tracking_error(active) for active in three]),
        ("specific_share", "annual", [risk.specific_share(active) for active in three]),
    ]
    parts = [risk.factor_contributions(active) for active in three]
    slopes = [risk.factor_marginal(active) for active in three]
    first = len(risk.factors) - len(r.styles)
    lines.append(("industries", "annual", [float(part[1:first].sum()) for part in parts]))
    for k, name in enumerate(r.styles, start=first):
        lines.append(("style", name, [float(part[k]) for part in parts]))
    for k, name in enumerate(r.styles, start=first):
        lines.append(("marginal", name, [float(slope[k]) for slope in slopes]))
    names = [risk.name_contributions(active) for active in three]
    for i in np.argsort(-names[1], kind="stable")[:SHOWN].tolist():
        lines.append(("name", str(r.symbols[i]), [float(share[i]) for share in names]))
    kinds, named, values = zip(*lines, strict=True)
    return RiskSheet(np.array(kinds), np.array(named), *np.array(values, dtype=np.float64).T)
