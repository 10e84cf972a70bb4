"""What a source says of its prices: raw with a factor, raw without one, or adjusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict


class PricesAccount(TypedDict, total=False):
    """What the account of a source says of its prices: see `Basis`."""

    adjusted: bool
    adjusted_volume: bool
    no_adjustment: bool


@dataclass(frozen=True)
class Basis:
    """What a source says of its prices; by default raw, with a cumulative backward `adj_factor`.

    Attributes
    ----------
    adjusted : prices are adjusted and no raw ones are known
    adjusted_volume : volumes are too (raw ÷ factor), so that amount / volume is in the scale of the prices
    no_adjustment : prices are raw and no factor is known: returns contain the drops of ex-dates
    """

    adjusted: bool = False
    adjusted_volume: bool = False
    no_adjustment: bool = False

    @classmethod
    def of(cls, account: Mapping[str, object]) -> Basis:
        """What the account of a source (see `deepfactor.sources.base.Source.describe`) or a manifest's says."""
        return cls(*(bool(account.get(name)) for name in ("adjusted", "adjusted_volume", "no_adjustment")))

    def add_to(self, account: PricesAccount) -> None:
        """Say so in the account of a source: the names of what is true."""
        if self.adjusted:
            account["adjusted"] = True
        if self.adjusted_volume:
            account["adjusted_volume"] = True
        if self.no_adjustment:
            account["no_adjustment"] = True

    @property
    def raw_volume(self) -> bool:
        """Whether amount / volume is a raw price beside adjusted ones."""
        return self.adjusted and not self.adjusted_volume
