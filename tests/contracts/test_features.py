"""What every feature set must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import get_args

import numpy as np
import pytest

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.features.base import Features, FeatureSettings, Role
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from support.filings import random_fundamentals
from support.toy import toy_market

ROOM = "deepfactor.features"
Market = tuple[Panel, Universe]


@pytest.fixture(scope="module")
def market() -> Market:
    panel, universe = toy_market(days=290, stocks=30)
    rng = np.random.default_rng(3)
    turnover = panel["volume"] / (panel["float_mv"] / panel["close"])
    amount = panel["volume"] * panel["vwap"] * (1 + 0.1 * rng.random(panel.shape, np.float32))
    floating = panel["total_mv"] * (0.3 + 0.6 * rng.random(panel.shape[1], np.float32))
    added = {"turnover": turnover, "amount": amount, "float_mv": floating}
    items = ("net_profit_q", "revenue_ytd", "operating_cash_flow_ttm", "total_equity", "total_assets", "total_shares")
    reports = random_fundamentals(0, items, stocks=30, days=290, years=7)
    reached = {"limit_up": universe.limit_up - universe.limit_up // 14, "limit_down": universe.limit_down * 13 // 12}
    panel = replace(panel, fields={**panel.fields, **added}, fundamentals=reports)
    return panel, replace(universe, **reached)


@pytest.fixture(params=kinds_in("deepfactor.features"))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def computed(kind: ModuleType, market: Market) -> Features:
    found: Features = kind.compute(kind.Settings(), *market)
    return found


def test_settings_say_the_window(kind: ModuleType) -> None:
    assert issubclass(kind.Settings, FeatureSettings)
    assert kind.Settings(window=7).window == 7


def test_values_have_the_axes_that_they_say(kind: ModuleType, market: Market) -> None:
    found = computed(kind, market)
    assert found.values.shape == (*market[0].shape, len(found.names))
    assert found.values.dtype == (np.uint8 if found.coded else np.float32)
    assert len(set(found.names)) == len(found.names) == len(found.roles)
    assert set(found.roles) <= set(get_args(Role))


def test_what_is_missing_is_nan_and_every_feature_is_known_somewhere(kind: ModuleType, market: Market) -> None:
    values = computed(kind, market).plain()
    assert not np.isinf(values).any()
    assert np.isfinite(values).any(axis=(0, 1)).all()
    never = ~market[1].traded.any(axis=0)
    assert not np.isfinite(values[:, never]).any()


def test_a_day_needs_no_more_past_than_the_set_says(kind: ModuleType, market: Market) -> None:
    back = kind.rows_back(kind.Settings())
    whole, first = computed(kind, market).values, len(market[0].dates) - 4 - back
    assert first > 1, "the market is too short to tell"
    part = computed(kind, (market[0].between(first, len(whole)), market[1].between(first, len(whole)))).values
    assert part[back:].tobytes() == whole[first + back :].tobytes()
    assert len(np.unique(part[back:])) > 2


def test_twice_the_same_bits_and_the_market_as_it_was(kind: ModuleType, market: Market) -> None:
    before = {name: market[0][name].tobytes() for name in market[0].fields}
    first, second = computed(kind, market), computed(kind, market)
    assert first.values.tobytes() == second.values.tobytes()
    assert {name: market[0][name].tobytes() for name in market[0].fields} == before


def test_a_features_name_means_one_number(kind: ModuleType, market: Market) -> None:
    """No two columns are the same, and none says nothing."""
    found = computed(kind, market)
    values = found.plain().reshape(-1, len(found.names))
    if found.coded:  # so many that no stock has all; missing is read as 0
        values = np.nan_to_num(values[np.isfinite(values).mean(axis=1) > 0.8])
    known = values[np.isfinite(values).all(axis=1)]
    assert len(known) > 100
    assert (known.std(axis=0) > 0).all()
    alike = np.abs(np.corrcoef(known.T)) - np.eye(values.shape[1])
    assert (alike < 1 - 1e-9).all()
