"""What must hold, and whether it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from research.learning.known_truth import Row

#: Least correlation with the oracle's visible part (all that windows of prices and volumes can show), and least RankIC
#: as a share of the better ridge regression's.
LEAST_CORRELATION = {"gru": 0.45, "decomp_gru": 0.50}
LEAST_SHARE_OF_RIDGE = {"gru": 0.70, "decomp_gru": 0.80}
#: Largest |mean RankIC| in the null market: of a single factor over the market seeds, and of one trained GRU.
NULL_FACTOR, NULL_NETWORK = 0.02, 0.03


@dataclass(frozen=True)
class Bound:
    """A number and the side of `limit` that it must be on (on the limit itself is fine)."""

    what: str
    value: float
    limit: float
    at_least: bool

    @property
    def holds(self) -> bool:
        """False too where the value is not a number."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def learning_bounds(market: str, rows: Iterable[Row]) -> list[Bound]:
    """Of the scores of one market: correlation, share of ridge's RankIC, and the visible oracle as a ceiling."""
    found = {row.name: row.measured for row in rows}
    del found["oracle"]
    visible = found.pop("oracle, visible")
    ridge = max(measured.neutral for name, measured in found.items() if name.startswith("ridge"))
    bounds = []
    for name, least in LEAST_CORRELATION.items():
        what = f"{market}: {name}, correlation with the visible oracle"
        bounds.append(Bound(what, found[name].visible, least, True))
        share = found[name].neutral / ridge
        bounds.append(Bound(f"{market}: {name}, RankIC / ridge's", share, LEAST_SHARE_OF_RIDGE[name], True))
    for label in ("neutral", "raw"):
        highest = max(getattr(measured, label) for measured in found.values())
        what = f"{market}: highest RankIC ({label}) below the visible oracle's"
        bounds.append(Bound(what, highest, getattr(visible, label), False))
    return bounds


def null_bounds(factors: Mapping[str, float], network: Row) -> list[Bound]:
    """Of the null markets: each classic factor's mean over seeds, and one trained network."""
    found = [
        Bound(f"null: {name}, size of the mean over seeds", abs(value), NULL_FACTOR, False)
        for name, value in factors.items()
    ]
    return [*found, Bound(f"null: trained {network.name}, size", abs(network.measured.neutral), NULL_NETWORK, False)]
