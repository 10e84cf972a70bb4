"""Where results may be written."""

from __future__ import annotations

from pathlib import Path

from deepfactor.core.errors import DataError
from deepfactor.store.writing import market_above


def require_outside(out: Path) -> None:
    """Refuse a place for results that is a market's folder, or lies in one: it holds its tables and nothing else.

    Raises
    ------
    DataError
        names the market.
    """
    market = market_above(out)
    if market is not None:
        what = "is" if market == out.absolute() else "lies in"
        raise DataError(f"{what} the market {market}: give another --out", file=out)
