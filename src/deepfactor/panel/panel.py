"""`Panel`: a market's daily fields as read-only (T, N) arrays, memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from deepfactor.core.arrays import Dates, Floats, Symbols
from deepfactor.core.errors import DataError
from deepfactor.core.words import Sentence
from deepfactor.panel.fundamentals import Fundamentals

#: Fields that a panel can hold. All float32 but `adj_factor` (float64). Prices are raw (unadjusted) CNY.
FIELDS = ("open", "high", "low", "close", "vwap", "volume", "adj_factor", "turnover", "total_mv", "float_mv",
          "free_float_mv")  # fmt: skip
#: Why a style, or what else is made of a market, is absent.
LACKS = Sentence("the market has no {what}", "市场数据没有{what}")


@dataclass(frozen=True)
class Panel:
    """Daily fields of all stocks of a market.

    Attributes
    ----------
    dates : (T,) datetime64[D]
        trading days, ascending.
    symbols : (N,) str
        exchange-suffixed codes, ascending.
    fields : mapping of name to (T, N)
        see `FIELDS`; raw prices in CNY, volume in shares, market values in CNY, turnover as a fraction of float shares.
        NaN = missing; prices, volume and turnover are NaN on days without a trade, never filled. `adj_factor` is the
        cumulative backward factor, carried over days without a trade; market values are those of the last close.
    fingerprint : str
        names the content of the tables that the panel was built from.
    fundamentals : what was published of the companies and when; None where the market has no such table.
    former : old code = today's, of companies whose code changed.
    locked : first day of the market's locked holdout, before which this panel ends; None = nothing is left out.
    past : fingerprint of an earlier panel of the market = how many of its rows are this one's first, as far as known.

    Row t holds what was known at the close of day t.
    """

    dates: Dates
    symbols: Symbols
    fields: Mapping[str, Floats]
    fingerprint: str
    fundamentals: Fundamentals | None = None
    former: Mapping[str, str] = field(default_factory=dict)
    locked: date | None = None
    past: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Floats:
        """The (T, N) array of a field; a `DataError` that says what is missing where the market has none."""
        try:
            return self.fields[name]
        except KeyError:
            raise DataError(f"this market has no {name}: it has {', '.join(self.fields)}") from None

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return len(self.dates), len(self.symbols)

    def until(self, t: int) -> Panel:
        """The panel as it was at the close of row t: rows 0 … t."""
        return self.between(0, t + 1)

    def between(self, first: int, stop: int) -> Panel:
        """The rows first … stop − 1 of the panel as it was at the close of the last of them."""
        return replace(
            self,
            dates=self.dates[first:stop],
            fields={k: v[first:stop] for k, v in self.fields.items()},
            fundamentals=None if self.fundamentals is None else self.fundamentals.between(first, stop),
            past={},
        )

    def market_cap(self, kind: str) -> Floats:
        """Market value (T, N) in CNY, `kind` = "total" or "float"."""
        return self[f"{kind}_mv"]


DateLike = np.datetime64 | date | str


def rows_between(dates: Dates, start: DateLike | None, end: DateLike | None) -> slice:
    """Rows of `dates` with start ≤ date ≤ end (None = open; text is ISO), as a slice."""
    first = 0 if start is None else int(np.searchsorted(dates, np.array(start, "datetime64[D]"), side="left"))
    last = len(dates) if end is None else int(np.searchsorted(dates, np.array(end, "datetime64[D]"), side="right"))
    return slice(first, max(first, last))
