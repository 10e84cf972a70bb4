"""What a reader must know of prices that are adjusted, or raw without a factor: the notes of a source."""

from __future__ import annotations

from deepfactor.store.checks.basis import Basis

ADJUSTED = "prices are adjusted, no raw ones are known: limits, lots and market values are off"
RAW_VOLUME = (
    "volumes and amounts are raw beside adjusted prices: amount / volume is no vwap of theirs, turnover is amount / "
    "market value, and volumes jump on ex-dates"
)
NO_VWAP = "no vwap: no t1_vwap convention, fills at the close only"
VWAP_FROM_PRICES = "vwap is (open + high + low + close) / 4"
NO_ADJUSTMENT = "prices are raw and no adj_factor is known: returns contain the drops of ex-dates"
QLIB_RAW = "raw prices are qlib's divided by factor, rounded to 0.01; raw volumes times factor, whole shares"
QLIB_ADJUSTED = "there is no field factor: prices and volumes stay adjusted, so price limits and lots are off"


def notes_of(basis: Basis, *, has_vwap: bool, vwap_from_prices: bool) -> list[str]:
    """Notes of a mapping; `has_vwap` = the vendor has a column of it."""
    if not basis.adjusted:
        return [NO_ADJUSTMENT] if basis.no_adjustment else []
    without = basis.raw_volume and not (has_vwap or vwap_from_prices)
    said = ((basis.raw_volume, RAW_VOLUME), (without, NO_VWAP), (vwap_from_prices, VWAP_FROM_PRICES))
    return [ADJUSTED, *(note for there, note in said if there)]
