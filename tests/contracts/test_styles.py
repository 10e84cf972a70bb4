"""What every style set must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.styles.base import Styles
from support.filings import random_fundamentals
from support.toy import toy_market

ROOM = "deepfactor.styles"
DAYS = slice(118, 124)
Market = tuple[Panel, Universe]


@pytest.fixture(scope="module")
def market() -> Market:
    panel, universe = toy_market(days=130, stocks=60)
    items = ("net_profit_q", "revenue_ytd", "operating_cash_flow_ttm", "total_equity", "total_shares")
    reports = random_fundamentals(0, items, stocks=panel.shape[1], days=panel.shape[0], years=7)
    turnover = panel["volume"] / (panel["float_mv"] / panel["close"])
    return replace(panel, fields={**panel.fields, "turnover": turnover}, fundamentals=reports), universe


@pytest.fixture(params=kinds_in("deepfactor.styles"))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def computed(kind: ModuleType, market: Market) -> Styles:
    found: Styles = kind.compute(kind.Settings(), *market)
    return found


def test_exposures_of_a_day_are_z_scores_by_market_value(kind: ModuleType, market: Market) -> None:
    """Mean 0 by the market value, standard deviation 1 with equal weights: a portfolio's exposure is in deviations."""
    found = computed(kind, market)
    assert found.exposures
    cap = market[0]["total_mv"][DAYS].astype(float)
    for name, values in found.of_days(DAYS).items():
        assert values.shape == cap.shape, name
        assert values.dtype == np.float32
        for exposure, weight in zip(values.astype(float), cap, strict=True):
            seen = np.isfinite(exposure)
            if seen.any():
                assert np.isfinite(weight[seen]).all()
                assert np.average(exposure[seen], weights=weight[seen]) == pytest.approx(0, abs=1e-4)
                assert exposure[seen].std() == pytest.approx(1, abs=1e-4)


def test_some_days_are_those_of_all_days(kind: ModuleType, market: Market) -> None:
    found = computed(kind, market)
    for name, values in found.of_days(DAYS).items():
        assert values.tobytes() == np.ascontiguousarray(found.exposures[name][DAYS]).tobytes(), name


def test_what_a_market_cannot_have_is_named(kind: ModuleType, market: Market) -> None:
    panel, universe = market
    bare = {name: values for name, values in panel.fields.items() if name not in ("turnover",)}
    poor = computed(kind, (replace(panel, fields=bare, fundamentals=None), universe))
    assert set(poor.exposures) & set(poor.absent) == set()
    assert all(why for why in poor.absent.values())
    assert set(poor.exposures) | set(poor.absent) == set(computed(kind, market).exposures) | set(
        computed(kind, market).absent
    )
