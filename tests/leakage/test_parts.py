"""Quarters, neighbours and exposures of a day's batch can't read the future; planted leaks are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from deepfactor.features import price_volume
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe, UniverseRule
from deepfactor.training.data import TrainingData
from deepfactor.training.samples import Sampler
from deepfactor.training.stored import StoredInputs
from support.law import reads_future
from support.parts import all_parts, company_market, graph_of, other

RULE = UniverseRule(window=9, min_observed=5)
DAYS = range(24, 119, 9)

Market = tuple[Panel, Universe]
Build = Callable[[Panel, Universe, TrainingData], StoredInputs]


@pytest.fixture(scope="module")
def market() -> Market:
    return company_market(days=120, stocks=40)


def build(panel: Panel, universe: Universe, data: TrainingData) -> StoredInputs:
    return all_parts(panel, universe, data.eligible)


def batches(panel: Panel, universe: Universe, *, field: str, build: Build = build) -> np.ndarray:
    """(T, N, …): what each day's batch is given, NaN outside; neighbours as similarities to all stocks."""
    bare = TrainingData(
        dates=panel.dates,
        symbols=panel.symbols,
        features=price_volume.compute(price_volume.Settings(window=5), panel, universe),
        label=np.zeros(panel.shape),
        eligible=universe.eligible(RULE),
        size=np.log(panel.market_cap("float").astype(np.float64)),
        entry_ok=np.ones(panel.shape, dtype=bool),
        window=5,
    )
    sampler = Sampler(replace(bare, inputs=build(panel, universe, bare)))
    found: dict[int, np.ndarray] = {}
    for t in range(len(panel.dates)):
        stocks = bare.stocks(t)
        if not len(stocks):  # the first days
            continue
        batch = sampler.cross_section(t, frozenset({field}))
        if field == "neighbours":
            index, similarity = batch["neighbours"].numpy(), batch["similarity"].numpy()
            day = np.full((panel.shape[1], panel.shape[1]), np.nan)
            row, place = np.nonzero(index >= 0)
            day[stocks[row], stocks[index[row, place]]] = similarity[row, place]
        else:
            given = batch[field].numpy()
            rows = given.transpose(1, 0, 2).reshape(len(stocks), -1) if field == "fundamentals" else given
            day = np.full((panel.shape[1], rows.shape[1]), np.nan)
            day[stocks] = rows
        found[t] = day
    return np.stack([found.get(t, np.full_like(day, np.nan)) for t in range(len(panel.dates))])


@pytest.mark.parametrize("field", ["fundamentals", "neighbours", "exposures"])
def test_parts_are_known_at_the_close(field: str, market: Market) -> None:
    found = partial(batches, field=field)
    whole = found(*market)[30:]
    assert np.isfinite(whole).any(axis=(1, 2)).all()
    assert np.nanstd(whole) > 0
    assert reads_future(found, *market, DAYS) is None


def tomorrows_quarters(panel: Panel, universe: Universe, data: TrainingData) -> StoredInputs:
    stored = build(panel, universe, data)
    change = stored.held["fundamentals"].change
    return other(stored, "fundamentals", change=np.vstack([change[1:], change[-1:]]))


def who_will_be_there(panel: Panel, universe: Universe, data: TrainingData) -> StoredInputs:
    """A month's graph of those who turn up in the month to come."""
    coming = np.vstack([data.eligible[20:], np.repeat(data.eligible[-1:], min(20, len(data.eligible)), axis=0)])
    return StoredInputs({"neighbours": graph_of(panel, universe, coming[: len(data.eligible)], k=4)}, {"graph": {}})


def tomorrows_value(panel: Panel, universe: Universe, data: TrainingData) -> StoredInputs:
    stored = build(panel, universe, data)
    bp = stored.held["exposures"].bp
    return other(stored, "exposures", bp=np.vstack([bp[1:], bp[-1:]]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "leak"),
    [("fundamentals", tomorrows_quarters), ("neighbours", who_will_be_there), ("exposures", tomorrows_value)],
)
def test_planted_leaks_are_caught(field: str, leak: Build, market: Market) -> None:
    assert reads_future(partial(batches, field=field, build=leak), *market, DAYS) is not None
