"""What every graph kind must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.graphs.base import Edges, rebuilt
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from support.filings import random_fundamentals
from support.toy import toy_market

ROOM = "deepfactor.graphs"
ITEMS = ("net_profit_ttm", "revenue_ytd", "operating_cost_q", "total_equity", "total_assets", "total_liabilities")


@pytest.fixture(params=kinds_in(ROOM))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    panel, universe = toy_market(stocks=90)
    reports = random_fundamentals(0, ITEMS, stocks=90, days=120, years=4)
    return replace(panel, fundamentals=reports), universe


def edges(kind: ModuleType, market: tuple[Panel, Universe], row: int, columns: np.ndarray) -> Edges:
    found: Edges = kind.edges(kind.Settings(), *market, row, columns)
    return found


def related(found: Edges, columns: np.ndarray) -> list[dict[int, float]]:
    """By panel column: each stock's neighbours with their similarity."""
    rows = [zip(i[i >= 0].tolist(), s[i >= 0].tolist(), strict=True) for i, s in zip(*found, strict=True)]
    return [{int(columns[j]): s for j, s in row} for row in rows]


def test_the_room_is_not_empty() -> None:
    assert {"fundamental", "full", "industry", "random"} <= set(kinds_in(ROOM))


@pytest.mark.parametrize("count", [0, 1, 2, 5, 90])
def test_the_shape_of_the_answer(kind: ModuleType, market: tuple[Panel, Universe], count: int) -> None:
    index, similarity = edges(kind, market, 100, np.sort(np.random.default_rng(count).permutation(90)[:count]))
    assert index.dtype == np.int64
    assert similarity.dtype == np.float32
    assert index.shape == similarity.shape
    assert len(index) == count
    if count:
        assert (index[:, 0] == np.arange(count)).all(), "itself first"
        assert (similarity[:, 0] == 1).all()
    assert index.max(initial=-1) < count
    assert (similarity[index < 0] == 0).all()
    assert (np.abs(similarity) <= 1 + 1e-6).all()
    for row in index:
        there = row[row >= 0]
        assert len(set(there.tolist())) == len(there), "each once"
        assert (row[len(there) :] == -1).all(), "empty places last"


def test_stocks_are_related_to_others(kind: ModuleType, market: tuple[Panel, Universe]) -> None:
    index, _ = edges(kind, market, 100, np.arange(90))
    assert (index[:, 1:] >= 0).sum() > 90


def test_the_order_of_the_columns_does_not_matter(kind: ModuleType, market: tuple[Panel, Universe]) -> None:
    columns = np.arange(0, 90, 2)
    order = np.random.default_rng(0).permutation(len(columns))
    one = related(edges(kind, market, 100, columns), columns)
    other = related(edges(kind, market, 100, columns[order]), columns[order])
    for place, at in enumerate(order.tolist()):
        assert other[place].keys() == one[at].keys()
        np.testing.assert_allclose([other[place][k] for k in one[at]], list(one[at].values()), rtol=1e-5)


def test_it_changes_at_months_ends_alone_and_repeats(kind: ModuleType, market: tuple[Panel, Universe]) -> None:
    answers: dict[int | None, bytes] = {}
    for row in range(0, 120, 6):
        found = edges(kind, market, row, np.arange(90))
        content = found.neighbour.tobytes() + found.similarity.tobytes()
        assert answers.setdefault(rebuilt(market[1], row), content) == content
    assert None in answers, "days before the first month's end are asked"
    assert len(answers) > 4
