"""What the usual indices' codes say of their members, and how old a published set of weights may be."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from deepfactor.market.indices import canonical

#: Code (CSI's) → number of members, by the rules of China Securities Index.
MEMBERS: Mapping[str, int] = MappingProxyType(
    {
        "000016.SH": 50,
        "000300.SH": 300,
        "000688.SH": 50,
        "000852.SH": 1000,
        "000903.SH": 100,
        "000904.SH": 200,
        "000905.SH": 500,
        "000906.SH": 800,
        "932000.CSI": 2000,
    }
)
#: Share of them that a vendor may lack: names that left the exchange, a change of members half delivered.
_SLACK = 0.1
#: Calendar days after which published weights are stale: a quarter, and a week of holidays.
STALE_DAYS = 100


def members_lacking(index: str, count: int, stocks: int) -> int:
    """How many of an index's members are missing where `count` are there; 0 within a tenth, or of an unknown index.

    `stocks`: how many the market has. One with fewer than the index has members is no real one, and lacks none.
    """
    wanted = MEMBERS.get(canonical(index), 0)
    lacking = wanted - count
    return lacking if stocks >= wanted and lacking > _SLACK * wanted else 0
