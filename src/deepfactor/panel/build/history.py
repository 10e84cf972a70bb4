"""What an earlier build already holds, for a build that goes on from its last row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepfactor.core.arrays import AnyArray, Bools, Dates, Float64, Floats, Indices, Symbols
from deepfactor.panel.fundamentals import Events

#: Days looked at at once for a stock's last trade: nearly all traded in the last few.
_BLOCK = 64


@dataclass(frozen=True)
class History:
    """Rows that are built, T₀ days of N₀ stocks.

    Attributes
    ----------
    dates : (T₀,); symbols : (N₀,)
    first_row : (N₀,) row of each symbol's first daily row
    fields : mapping of name to (T₀, N₀), as in `Panel`
    traded, st : (T₀, N₀) bool
    members : mapping of index to (T₀, N₀) bool
    events : published figures by item, where the market's are still the same and all have a column here; else None
    """

    dates: Dates
    symbols: Symbols
    first_row: Indices
    fields: Mapping[str, Floats]
    traded: Bools
    st: Bools
    members: Mapping[str, Bools]
    events: Mapping[str, Events] | None = None

    def columns(self, symbols: Symbols) -> Indices:
        """Where this history's symbols stand among `symbols`, which holds them all."""
        return np.searchsorted(symbols, self.symbols)

    def spread(self, values: AnyArray, symbols: Symbols, fill: Any) -> AnyArray:
        """(…, N₀) → (…, N): the columns of `symbols`, those that are not here filled with `fill`."""
        if values.shape[-1] == len(symbols):
            return np.array(values)
        out = np.full((*values.shape[:-1], len(symbols)), fill, dtype=values.dtype)
        out[..., self.columns(symbols)] = values
        return out

    def last_trades(self, row: int) -> tuple[Float64, Float64]:
        """(N₀,) close (CNY) and factor of each symbol's last day of trade before `row`; NaN where there was none."""
        close, factor = np.full(len(self.symbols), np.nan), np.full(len(self.symbols), np.nan)
        wanted = np.arange(len(self.symbols))
        for end in range(row, 0, -_BLOCK):
            traded = self.traded[max(end - _BLOCK, 0) : end, wanted][::-1]
            found = traded.any(axis=0)
            t, stocks = end - 1 - traded[:, found].argmax(axis=0), wanted[found]
            close[stocks], factor[stocks] = self.fields["close"][t, stocks], self.fields["adj_factor"][t, stocks]
            wanted = wanted[~found]
            if not len(wanted):
                break
        return close, factor
