"""`Relations`: a graph's neighbours on each day, kept once a month and by stock, as in a sparse matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float32, Float64, Indices, Int32, Ints, Symbols
from deepfactor.graphs.base import Edges, alone, rebuilt
from deepfactor.inputs.base import DayArrays
from deepfactor.panel.universe import Universe


@dataclass(frozen=True)
class Relations:
    """Who is related to whom, for all days of a market.

    Attributes
    ----------
    month : (T,) int32
        which of the M graphs is in force at the close of the day; −1 = none, before the first month's end.
    built : (M,) datetime64[D]
        the month's end that a graph is of.
    starts : (M, N + 1) int64
        the edges of graph m's stock n are starts[m, n] … starts[m, n + 1] − 1, the one to itself first; a stock without
        any is not in the graph.
    neighbour : (E,) int32
        column of the other stock.
    similarity : (E,) float32
        in the graph's own measure.
    """

    month: Int32
    built: Dates
    starts: Ints
    neighbour: Int32
    similarity: Float32

    @property
    def days(self) -> int:
        """T."""
        return len(self.month)

    def between(self, rows: slice) -> Self:
        """Some of the days."""
        return replace(self, month=self.month[rows])

    def day(self, t: int, stocks: Indices, size: Float64) -> DayArrays:
        """The edges of the batch; see `at`."""
        edges = self.at(t, stocks)
        return {"neighbours": edges.neighbour, "similarity": edges.similarity}

    def widths(self) -> Mapping[str, int]:
        """A model isn't built for a number of neighbours."""
        return {}

    def card(self) -> Mapping[str, object]:
        """The arm says its graph."""
        return {}

    def at(self, t: int, stocks: Ints) -> Edges:
        """The edges among the batch `stocks` (b,) of day t, as positions in it; as wide as the widest stock.

        A stock that is not in the graph, because it was not eligible in the month before, has itself only.
        """
        edges = alone(len(stocks))
        if self.month[t] < 0:
            return edges
        row, place = self._edges(int(self.month[t]), stocks)
        position = np.full(self.starts.shape[1] - 1, -1, dtype=np.int64)
        position[stocks] = np.arange(len(stocks))
        other = position[self.neighbour[place]]
        here = other >= 0
        row, other, similarity = row[here], other[here], self.similarity[place[here]]
        column = np.arange(len(row)) - np.searchsorted(row, np.arange(len(stocks)))[row]
        edges = alone(len(stocks), int(column.max(initial=0)) + 1)
        edges.neighbour[row, column] = other
        edges.similarity[row, column] = similarity
        return edges

    def pairs(self, month: int) -> tuple[Ints, Ints, Float32]:
        """Graph `month` as columns (stock, other) with their similarity, without the edges to oneself."""
        stocks = np.arange(self.starts.shape[1] - 1)
        stock, place = self._edges(month, stocks)
        other = self.neighbour[place].astype(np.int64)
        apart = stock != other
        return stock[apart], other[apart], self.similarity[place[apart]]

    def fingerprint(self, days: range, columns: Indices, symbols: Symbols) -> str:
        """Hash of the graphs in force on `days`; says the same of them whoever else the market holds."""
        digest = hashlib.sha256()
        months = self.month[days.start : days.stop]
        in_force, days_in_force = np.unique(months, return_counts=True)
        digest.update(days_in_force.tobytes())
        for month in in_force[in_force >= 0].tolist():
            digest.update(str(self.built[month]).encode())
            starts = self.starts[month]
            listed = np.flatnonzero(np.diff(starts))
            place = np.zeros(len(starts), dtype=np.int64)
            place[listed] = np.arange(len(listed))
            edges = slice(int(starts[0]), int(starts[-1]))
            digest.update("\n".join(symbols[listed].tolist()).encode())
            for array in (np.diff(starts)[listed], place[self.neighbour[edges]], self.similarity[edges]):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def _edges(self, month: int, stocks: Ints) -> tuple[Ints, Ints]:
        """Position in `stocks` and place of each of their edges."""
        starts = self.starts[month]
        first, count = starts[stocks], starts[stocks + 1] - starts[stocks]
        row = np.repeat(np.arange(len(stocks)), count)
        return row, np.arange(len(row)) + np.repeat(first - (np.cumsum(count) - count), count)


def relations(edges: Callable[[int, Ints], Edges], universe: Universe, eligible: Bools) -> Relations:
    """The graphs of all months' ends.

    Parameters
    ----------
    edges : a graph kind's answer for a row and columns of the market.
    eligible : (T, N)
        who may be scored. A graph is of those who could be on a day of the month that it ends, the last day included:
        who will be in the month to come is not known.
    """
    at = [rebuilt(universe, t) for t in range(len(universe.dates))]
    ends = sorted({row for row in at if row is not None})
    number = {row: m for m, row in enumerate(ends)}
    starts = np.zeros((len(ends), eligible.shape[1] + 1), dtype=np.int64)
    neighbour, similarity = [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    since = total = 0
    for m, row in enumerate(ends):
        columns = np.flatnonzero(np.asarray(eligible[since : row + 1]).any(axis=0))
        starts[m] = total
        if len(columns):
            of_month = edges(row, columns)
            real = of_month.neighbour >= 0
            starts[m, columns + 1] += real.sum(axis=1)
            starts[m] = total + np.cumsum(starts[m] - total)
            neighbour.append(columns[of_month.neighbour[real]].astype(np.int32))
            similarity.append(of_month.similarity[real])
        since, total = row + 1, int(starts[m, -1])
    return Relations(
        month=np.array([-1 if row is None else number[row] for row in at], np.int32),
        built=universe.dates[ends].astype("datetime64[D]"),
        starts=starts,
        neighbour=np.concatenate(neighbour),
        similarity=np.concatenate(similarity),
    )
