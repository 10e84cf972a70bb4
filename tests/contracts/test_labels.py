"""What every label must do, found by looking into the room: a new file is tested unasked."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.labels.base import LabelSettings
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe, UniverseRule
from support.toy import toy_market

ROOM = "deepfactor.labels"
RULE = UniverseRule(window=20, min_observed=12)
Market = tuple[Panel, Universe]


@pytest.fixture(scope="module")
def market() -> Market:
    return toy_market(days=90, stocks=60)


@pytest.fixture(params=kinds_in("deepfactor.labels"))
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return load_kind(ROOM, request.param)


def computed(kind: ModuleType, market: Market, **settings: object) -> np.ndarray:
    values: np.ndarray = kind.compute(kind.Settings(**settings), *market, market[1].eligible(RULE))
    return values


def test_settings_say_horizon_convention_and_size(kind: ModuleType) -> None:
    assert issubclass(kind.Settings, LabelSettings)


@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("convention", ["t1_close", "t0_close", "t1_vwap"])
def test_a_label_reads_as_many_rows_ahead_as_it_says(
    kind: ModuleType, horizon: int, convention: str, market: Market
) -> None:
    settings = {"horizon": horizon, "convention": convention}
    reach = kind.reach(kind.Settings(**settings))
    values = computed(kind, market, **settings)
    assert values.shape == market[0].shape
    assert values.dtype == np.float64
    assert np.isnan(values[len(values) - reach :]).all()
    assert np.isfinite(values[len(values) - reach - 1]).any()


def test_only_the_days_own_batch_has_labels(kind: ModuleType, market: Market) -> None:
    values, eligible = computed(kind, market), market[1].eligible(RULE)
    assert not np.isinf(values).any()
    assert np.isnan(values[~eligible]).all()
    assert np.isfinite(values[eligible]).mean() > 0.5


def test_twice_the_same_bits(kind: ModuleType, market: Market) -> None:
    assert computed(kind, market).tobytes() == computed(kind, market).tobytes()
