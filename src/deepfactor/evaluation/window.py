"""The part of a market that a factor test reads: the scored rows and as many behind them as the horizons reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deepfactor.core.arrays import Bools, Dates, Float64, Floats, Indices, Int16, Int32
from deepfactor.core.errors import DataError
from deepfactor.cross_section.ranks import day_orders
from deepfactor.panel.panel import Panel, rows_between
from deepfactor.panel.scores import Scores
from deepfactor.panel.universe import Universe

Cell = TypeVar("Cell", bound=np.generic)

#: Share of the market's names from which on none is left out: less is copied.
_MOST = 0.95

#: Fields of the panel that returns and tradeability are formed from.
PRICE_FIELDS = ("close", "vwap", "low", "high", "adj_factor")
#: Market values, the one that a published index would rather weigh by first.
CAPS = ("float_mv", "total_mv")


@dataclass(frozen=True)
class Window:
    """A factor with the market around it, cut to what the test reads: W rows (S of them scored span) and M columns.

    Attributes
    ----------
    panel, universe : of shape (W, M)
        rows from the first scored day of the span; the last ones only serve as exits. The columns are the names that
        are scored or eligible on some day of the span, in the market's order (ascending symbol); or all of the
        market's, not copied, where these are nearly all.
    scores : (S, M) float64
        NaN = no score.
    eligible : (S, M) bool
        the universe `all`.
    industry : (S, N) int16
        of all the market's names, as in ``universe.industry``: what is missing is filled in from all of them.
    rows, columns : slice, (M,)
        where this lies in the market.
    dropped : count a reason
    """

    panel: Panel
    universe: Universe
    scores: Float64
    eligible: Bools
    industry: Int16
    rows: slice
    columns: Indices
    dropped: dict[str, int]

    @property
    def dates(self) -> Dates:
        """(S,) days from the first to the last scored one."""
        return self.panel.dates[: len(self.scores)]

    @property
    def cap(self) -> str | None:
        """The panel's field of market values: float, or total where the market has no float; None: it has neither."""
        return next((name for name in CAPS if name in self.panel.fields), None)

    @cached_property
    def orders(self) -> Int32:
        """(S, M) columns in ascending order of each day's scores; equals in the order of columns, missing ones last."""
        return day_orders(self.scores)

    @cached_property
    def _scored(self) -> Indices:
        return np.flatnonzero(np.isfinite(self.scores).any(axis=1))

    def scored_rows(self) -> Indices:
        """Rows of the span with at least one score."""
        return self._scored

    def names(self, universe: str) -> Bools:
        """(S, M) who belongs to a universe: `all`, `every` (whoever has a score), or an index's members of the day
        that are eligible."""
        if universe == "all":
            return self.eligible
        if universe == "every":
            return np.isfinite(self.scores)
        return self.universe.member_mask(universe)[: len(self.scores)] & self.eligible


def require_universes(names: Sequence[str], universe: Universe) -> None:
    """Refuse names that are neither `all`, `every` nor an index of the market, with a `DataError`."""
    known = ["all", "every", *sorted(universe.members)]
    for name in names:
        if name not in known:
            raise DataError(f"unknown universe {name!r}: this market has {', '.join(known)}")


def require_scores(scores: Scores, panel: Panel, start: date | None, end: date | None) -> None:
    """Refuse, before any work, scores of which none lies between `start` and `end` (inclusive, None = open)."""
    first, last = (None if day is None else np.datetime64(day, "D") for day in (start, end))
    if not np.isfinite(scores.values[rows_between(panel.dates, first, last)]).any():
        raise DataError(_no_overlap(scores, panel, first, last))


def cut_window(
    scores: Scores,
    panel: Panel,
    universe: Universe,
    eligible: Bools,
    *,
    start: np.datetime64 | None,
    end: np.datetime64 | None,
    reach: int,
) -> Window:
    """The scored days between `start` and `end` (inclusive, None = open), and `reach` rows behind the last.

    Raises
    ------
    DataError
        scores that aren't aligned with the market, or none of them in the market and the span.
    """
    _require_alignment(scores, panel, universe, eligible)
    span = rows_between(panel.dates, start, end)
    finite = np.isfinite(scores.values[span])
    days = np.flatnonzero(finite.any(axis=1))
    if len(days) == 0:
        raise DataError(_no_overlap(scores, panel, start, end))
    rows = slice(span.start + int(days[0]), span.start + int(days[-1]) + 1)
    wide = slice(rows.start, min(rows.stop + reach, len(panel.dates)))
    finite = np.isfinite(scores.values[rows])
    columns = np.flatnonzero(finite.any(axis=0) | eligible[rows].any(axis=0))
    if len(columns) > _MOST * eligible.shape[1]:
        columns = np.arange(eligible.shape[1])
    values = take_columns(scores.values[rows], columns).astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    dropped = dict(scores.dropped)
    dropped["scores_outside_span"] = int(np.isfinite(scores.values).sum() - finite.sum())
    dropped["scores_not_finite"] = int(np.isinf(scores.values[rows]).sum())
    dropped["scores_outside_all"] = int((finite & ~eligible[rows]).sum())
    return Window(
        panel=_cut_panel(panel, wide, columns),
        universe=_cut_universe(universe, wide, columns),
        scores=values,
        eligible=take_columns(eligible[rows], columns),
        industry=universe.industry[rows],
        rows=rows,
        columns=columns,
        dropped=dropped,
    )


def take_columns(x: NDArray[Cell], columns: Indices) -> NDArray[Cell]:
    """Ascending columns of (T, N), row by row in memory, which `x[:, columns]` isn't; all of them are `x` itself."""
    return x if len(columns) == x.shape[1] else np.take(x, columns, axis=1)


def _cut_panel(panel: Panel, rows: slice, columns: Indices) -> Panel:
    fields: dict[str, Floats] = {
        k: take_columns(panel[k][rows], columns) for k in (*PRICE_FIELDS, *CAPS) if k in panel.fields
    }
    return replace(panel, dates=panel.dates[rows], symbols=panel.symbols[columns], fields=fields)


def _cut_universe(universe: Universe, rows: slice, columns: Indices) -> Universe:
    grids = ("listed", "traded", "st", "limit_up", "limit_down", "industry")
    changed: dict[str, Any] = {name: take_columns(getattr(universe, name)[rows], columns) for name in grids}
    return replace(
        universe,
        dates=universe.dates[rows],
        symbols=universe.symbols[columns],
        next_date=universe.next_date[rows],
        **changed,
        members={name: take_columns(mask[rows], columns) for name, mask in universe.members.items()},
        benchmark={},
        index_close={name: level[rows] for name, level in universe.index_close.items()},
        index_total_return={name: level[rows] for name, level in universe.index_total_return.items()},
    )


def _require_alignment(scores: Scores, panel: Panel, universe: Universe, eligible: Bools) -> None:
    shapes = {"scores": scores.values.shape, "universe": universe.shape, "eligible": eligible.shape}
    for what, shape in shapes.items():
        if shape != panel.shape:
            raise DataError(f"{what} of shape {shape} don't fit the market's {panel.shape}: align them with it first")
    if not (np.array_equal(scores.dates, panel.dates) and np.array_equal(scores.symbols, panel.symbols)):
        raise DataError(f"factor {scores.name!r} has other dates or symbols than the market: align it with it first")


def _no_overlap(scores: Scores, panel: Panel, start: np.datetime64 | None, end: np.datetime64 | None) -> str:
    market = f"the market has {len(panel.symbols)} stocks from {panel.dates[0]} to {panel.dates[-1]}"
    dropped = ", ".join(f"{reason}: {count}" for reason, count in scores.dropped.items() if count)
    lost = f"; not placed: {dropped}" if dropped else ""
    asked = f" between {start or 'its start'} and {end or 'its end'}" if start is not None or end is not None else ""
    return f"factor {scores.name!r} has no score in this market{asked}: {market}{lost}"
