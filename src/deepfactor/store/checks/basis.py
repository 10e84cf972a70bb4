"""What a source says of its prices: raw with a factor, raw without one, or adjusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


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
    def of(cls, account: Mapping[str, Any]) -> Basis:
        """What the account of a source (see `deepfactor.sources.base.Source.describe`) or a manifest's says."""
        return cls(*(bool(account.get(name)) for name in ("adjusted", "adjusted_volume", "no_adjustment")))

    def account(self) -> dict[str, bool]:
        """What is said, for the account of a source: the names of what is true."""
        return {name: True for name, said in asdict(self).items() if said}

    @property
    def raw_volume(self) -> bool:
        """Whether amount / volume is a raw price beside adjusted ones."""
        return self.adjusted and not self.adjusted_volume
