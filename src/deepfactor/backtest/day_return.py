"""Where one day's active return of an account came from, as `attribution` says it of a backtest's days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.backtest.days import days, last_close
from deepfactor.backtest.explaining import Close, explain, factor_names, stock_returns
from deepfactor.backtest.signals import benchmark_row
from deepfactor.core.arrays import Float64
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles.base import StylesByDay


@dataclass(frozen=True)
class DayReturn:
    """The return of a day of what was held at the close before, and its M sources.

    Attributes
    ----------
    date : datetime64[D]
    held, replica : float
        returns of what was held, its cash included, and of the index's weights of the close before.
    sources : M pairs of part and name
        styles, industries, selection, and cash.
    contribution : (M,)
        adds to held − replica.
    """

    date: np.datetime64
    held: float
    replica: float
    sources: tuple[tuple[str, str], ...]
    contribution: Float64

    def parts(self) -> dict[str, float]:
        """Contributions by part."""
        names = dict.fromkeys(part for part, _ in self.sources)
        return {name: sum(x for _, x in self.of(name)) for name in names}

    def of(self, part: str) -> list[tuple[str, float]]:
        """A part's contributions by name, without those that are zero."""
        both = zip(self.sources, self.contribution.tolist(), strict=True)
        return [(name, value) for (own, name), value in both if own == part and value != 0]


def day_return(
    shares: Float64,
    cash: float,
    panel: Panel,
    universe: Universe,
    index: str,
    row: int,
    styles: StylesByDay,
    haircut: float = 1.0,
) -> DayReturn:
    """Explain the return of the day `row` of `shares` (N,) and `cash` in CNY, as they were at the close before.

    Total returns: a dividend counts on its ex-date. A stock that is gone returns −`haircut`.

    Raises
    ------
    DataError
        the index has no members on the day before.
    ValueError
        the panel has no day before, or the account is worth nothing.
    """
    if row < 1:
        raise ValueError("the first day of a panel has no close before it")
    earlier, day = days(panel, universe, range(row - 1, row + 1), "close")
    then = last_close(panel, row - 1)
    reference = then / day.ratio
    last = np.where(np.isnan(day.close), reference, day.close)
    value = np.where(shares > 0, shares * np.nan_to_num(then), 0.0)
    total = float(value.sum()) + cash
    if not total > 0:
        raise ValueError("an account that is worth nothing has no return")
    weights, returns = value / total, stock_returns(day, last, reference, haircut)
    before = Close(earlier, weights, float(weights.sum()), benchmark_row(universe, index, row - 1), returns)
    before.lean(universe, styles)
    close = Close(day, weights, before.invested, before.benchmark, returns)
    held, replica = float((weights * returns).sum()), float((before.benchmark * returns).sum())
    explained = explain(before, close, panel, universe, styles)
    contribution = np.append(explained, -(1.0 - before.invested) * replica)
    sources = (*factor_names(styles, universe), ("cash", "cash"))
    return DayReturn(day.date, held, replica, sources, contribution)
