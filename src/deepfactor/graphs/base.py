"""What graph kinds share: the shape of their answer, and the day that it is of.

A kind reads nothing newer than `rebuilt(universe, row)`, the last month's end, so all days up to the next one get the
same answer for the same columns: ask once a month, for all stocks that can be in a batch, and take a day's part by
`within`.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, Protocol

import numpy as np

from deepfactor.core.arrays import Float32, Ints
from deepfactor.core.kind import Chosen, Room, SettingsOf
from deepfactor.core.spec import Spec
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe


class Edges(NamedTuple):
    """Up to m neighbours of each of b stocks.

    Attributes
    ----------
    neighbour : (b, m) int64
        positions among the asked columns; the stock itself first, then the others, then -1 for places left empty.
    similarity : (b, m) float32
        in the kind's own measure, 1 of a stock with itself, 0 where `neighbour` is -1.
    """

    neighbour: Ints
    similarity: Float32


class GraphKind(Protocol[SettingsOf]):
    """A file of this room."""

    def edges(self, settings: SettingsOf, panel: Panel, universe: Universe, row: int, columns: Ints, /) -> Edges:
        """Who is related to whom among the stocks of `columns` (b,), columns of the panel, at the close of `row`."""


ROOM: Room[GraphKind[Spec], Spec] = Room("deepfactor.graphs")
Graph = Annotated[Chosen[GraphKind[Spec], Spec], ROOM]
"""Whose neighbours a network reads."""


def rebuilt(universe: Universe, row: int) -> int | None:
    """The last month's end up to `row`; None before the first.

    A day is one if the next trading day, known from the calendar, lies in another month.
    """
    after = universe.next_date[: row + 1]
    ends = ~np.isnat(after) & (after.astype("datetime64[M]") != universe.dates[: row + 1].astype("datetime64[M]"))
    month_ends = np.flatnonzero(ends)
    return int(month_ends[-1]) if len(month_ends) else None


def within(edges: Edges, columns: Ints, batch: Ints) -> Edges:
    """The edges among `batch`, a part of `columns` in any order, of a graph over `columns`."""
    position = np.full(len(columns) + 1, -1, dtype=np.int64)  # the last for empty places
    at = np.searchsorted(columns, batch, sorter=(order := np.argsort(columns, kind="stable")))
    rows = order[at]
    position[rows] = np.arange(len(batch))
    index = position[edges.neighbour[rows]]
    return _packed(index, np.where(index >= 0, edges.similarity[rows], np.float32(0)))


def alone(stocks: int, width: int = 1) -> Edges:
    """Every stock related to itself only."""
    index = np.full((stocks, width), -1, dtype=np.int64)
    index[:, 0] = np.arange(stocks)
    return Edges(index, (index >= 0).astype(np.float32))


def together(group: Ints) -> Edges:
    """Every stock related to all of its group, similarity 1; a negative group is nobody's."""
    sizes = np.bincount(group[group >= 0], minlength=1)
    made = alone(len(group), max(int(sizes.max()), 1))
    for label in np.flatnonzero(sizes > 1):
        members = np.flatnonzero(group == label)
        others = np.broadcast_to(members, (len(members), len(members)))[~np.eye(len(members), dtype=bool)]
        made.neighbour[members, 1 : len(members)] = others.reshape(len(members), -1)
    return Edges(made.neighbour, (made.neighbour >= 0).astype(np.float32))


def _packed(index: Ints, similarity: Float32) -> Edges:
    """Empty places last, the order of the others kept."""
    order = np.argsort(index < 0, axis=1, kind="stable")
    return Edges(np.take_along_axis(index, order, axis=1), np.take_along_axis(similarity, order, axis=1))
