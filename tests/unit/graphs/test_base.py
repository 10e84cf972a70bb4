"""The day that a graph is of, and its part for a day's batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.graphs.base import Edges, alone, rebuilt, together, within
from support.toy import toy_market


def test_a_months_end_is_known_from_the_calendar():
    _, universe = toy_market(days=120)
    last: int | None = None
    for row in range(120):
        if str(universe.dates[row])[:7] != str(universe.next_date[row])[:7]:
            last = row
        assert rebuilt(universe, row) == last
        assert rebuilt(universe.until(row), row) == last
    assert last is not None
    unknown = replace(universe, next_date=np.full(120, np.datetime64("NaT", "D")))
    assert rebuilt(unknown, 119) is None


def test_together():
    found = together(np.array([2, -1, 0, 2, 2, 0, 5, -1]))
    assert found.neighbour.tolist() == [
        [0, 3, 4],
        [1, -1, -1],
        [2, 5, -1],
        [3, 0, 4],
        [4, 0, 3],
        [5, 2, -1],
        [6, -1, -1],
        [7, -1, -1],
    ]
    assert (found.similarity == (found.neighbour >= 0)).all()
    assert together(np.zeros(0, dtype=np.int64)).neighbour.shape == (0, 1)
    assert alone(2, 3).neighbour.tolist() == [[0, -1, -1], [1, -1, -1]]


@pytest.mark.parametrize("seed", range(3))
def test_the_part_of_a_batch(seed: int):
    """By a dictionary: a batch's neighbours are those of the month that are in the batch, in the same order."""
    rng = np.random.default_rng(seed)
    columns = rng.permutation(60)[:40]
    index = np.stack([rng.permutation(40)[:7] for _ in range(40)])
    index[rng.random(index.shape) < 0.2] = -1
    edges = Edges(index, np.where(index < 0, 0, rng.random(index.shape)).astype(np.float32))
    batch = rng.permutation(columns)[:25]
    found = within(edges, columns, batch)
    for stock, row, alike in zip(batch.tolist(), *found, strict=True):
        at = columns.tolist().index(stock)
        known = [(columns[j], s) for j, s in zip(index[at], edges.similarity[at], strict=True) if j >= 0]
        wanted = [(c, s) for c, s in known if c in batch]
        assert [(batch[j], s) for j, s in zip(row, alike, strict=True) if j >= 0] == wanted
        assert (row[len(wanted) :] == -1).all()
        assert (alike[len(wanted) :] == 0).all()
