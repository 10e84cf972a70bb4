"""What a reader must know of prices that are adjusted, or raw without a factor: the notes of a source."""

from __future__ import annotations

from deepfactor.core.words import Sentence
from deepfactor.store.checks.basis import Basis

ADJUSTED = Sentence(
    "prices are adjusted, no raw ones are known: limits, lots and market values are off",
    "价格为复权价，没有原始价格：涨跌停价、每手股数与市值均不准确",
)
RAW_VOLUME = Sentence(
    "volumes and amounts are raw beside adjusted prices: amount / volume is no vwap of theirs, turnover is amount / "
    "market value, and volumes jump on ex-dates",
    "价格已复权而成交量、成交额未复权：成交额÷成交量不是复权均价，换手率取成交额÷市值，成交量在除权除息日会跳变",
)
NO_VWAP = Sentence(
    "no vwap: no t1_vwap convention, fills at the close only", "没有成交均价：不能用t1_vwap口径，只能按收盘价成交"
)
VWAP_FROM_PRICES = Sentence("vwap is (open + high + low + close) / 4", "成交均价取（开盘＋最高＋最低＋收盘）÷4")
NO_ADJUSTMENT = Sentence(
    "prices are raw and no adj_factor is known: returns contain the drops of ex-dates",
    "价格未复权且没有复权因子：收益率包含除权除息造成的下跌",
)


def notes_of(basis: Basis, *, has_vwap: bool, vwap_from_prices: bool) -> list[str]:
    """Notes of a mapping; `has_vwap` = the vendor has a column of it."""
    if not basis.adjusted:
        return [str(NO_ADJUSTMENT)] if basis.no_adjustment else []
    without = basis.raw_volume and not (has_vwap or vwap_from_prices)
    said = ((basis.raw_volume, RAW_VOLUME), (without, NO_VWAP), (vwap_from_prices, VWAP_FROM_PRICES))
    return [str(ADJUSTED), *(str(note) for there, note in said if there)]
