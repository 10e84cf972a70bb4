"""A stretch of days of a market, as the families of the set `alpha` read it: inputs of all rows, features of some."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from deepfactor.core.arrays import Float64
from deepfactor.features._exact_sums import Running
from deepfactor.features._rolling import past_change
from deepfactor.panel.panel import Panel
from deepfactor.panel.returns import adjusted
from deepfactor.panel.universe import Universe

#: Rows before a day that its features read.
ROWS_BACK = 250


class Block:
    """Series (R, n) float64 of a stretch of a market, of some of its stocks; NaN on days without a trade. Features are
    of `rows` of it.

    `close` and the other prices are logs of adjusted ones, `ret` the log return of a day (both days traded), `turnover`
    in percent, `market` (R, 1) the mean return of all stocks.
    """

    def __init__(self, panel: Panel, universe: Universe, rows: slice, columns: slice, market: Float64) -> None:
        self.rows, self.market = rows, market
        self.fields = {name: values[:, columns] for name, values in panel.fields.items()}
        self.traded = universe.traded[:, columns]
        self.limit_up, self.limit_down = universe.limit_up[:, columns], universe.limit_down[:, columns]

    def price(self, name: str) -> Float64:
        """Raw price or another field of the panel."""
        return self.fields[name].astype(np.float64)

    def adjusted(self, name: str) -> Float64:
        """Log of an adjusted price."""
        price = self.price(name)
        price *= self.fields["adj_factor"]
        return np.log(price, out=price)

    def at(self, x: Float64) -> Float64:
        """A series at the rows of the features."""
        return x[self.rows]

    def past(self, x: Float64, days: int) -> Float64:
        """A series `days` before the rows of the features; NaN where there is no such day."""
        first = self.rows.start - days
        if first >= 0:
            return x[first : self.rows.stop - days : self.rows.step]
        at = np.arange(first, self.rows.stop - days, self.rows.step)
        return np.where((at >= 0)[:, None], x[np.maximum(at, 0)], np.nan)

    @cached_property
    def close(self) -> Float64:
        return self.adjusted("close")

    @cached_property
    def ret(self) -> Float64:
        return past_change(self.close, 1)

    @cached_property
    def turnover(self) -> Float64:
        return np.where(self.traded, 100.0 * self.price("turnover"), np.nan)

    @cached_property
    def log_turnover(self) -> Float64:
        return np.log(np.where(self.turnover > 0, self.turnover, np.nan))

    @cached_property
    def returns(self) -> Running:
        """Running sums of the daily return; those of its square are `squares`."""
        return Running.of(self.ret)

    @cached_property
    def squares(self) -> Running:
        return Running.of(self.ret * self.ret, self.returns)

    @cached_property
    def turnovers(self) -> Running:
        return Running.of(self.turnover)

    @cached_property
    def closes(self) -> Running:
        return Running.of(self.close)


def market_return(panel: Panel) -> Float64:
    """Mean log return of all stocks that traded on a day and the day before, (R, 1); NaN on a day without any."""
    ret = past_change(np.log(adjusted(panel, "close")), 1)
    known = np.isfinite(ret)
    count = known.sum(axis=1, keepdims=True)
    mean: Float64 = np.where(known, ret, 0.0).sum(axis=1, keepdims=True) / np.where(count, count, np.nan)
    return mean
