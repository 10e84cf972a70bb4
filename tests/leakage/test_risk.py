"""A risk model's forecasts are known at the close; planted leaks are caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.risk.estimation import Market, RiskDay, State, follow
from deepfactor.risk.settings import RiskSettings
from deepfactor.styles.base import ROOM
from support.law import reads_future
from support.toy import toy_market

SETTINGS = RiskSettings()
DAYS = range(70, 119, 12)


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    return toy_market()


def model(panel: Panel, universe: Universe, style_days_ahead: int = 0) -> list[RiskDay]:
    kind = ROOM.choose("basic")
    exposures = dict(kind.part.compute(kind.settings, panel, universe).exposures)
    ahead = style_days_ahead
    shifted = {name: np.vstack([x[ahead:], np.repeat(x[-1:], ahead, axis=0)]) for name, x in exposures.items()}
    followed = Market(panel, universe, shifted)
    state = State.none(len(followed.factors), panel.shape[1], SETTINGS)
    return [day for day, _ in follow(followed, state, SETTINGS)]


def forecasts(panel: Panel, universe: Universe, style_days_ahead: int = 0) -> np.ndarray:
    """(T, …): all that the model says of each day."""
    rows = []
    for day in model(panel, universe, style_days_ahead):
        specific = np.full(panel.shape[1], np.nan)
        specific[day.columns] = day.specific
        rows.append(np.concatenate([day.returns, [day.explained], day.covariance.ravel(), specific, day.regimes]))
    return np.stack(rows)


def test_forecasts_are_known_at_the_close(market: tuple[Panel, Universe]) -> None:
    whole = forecasts(*market)
    assert np.isfinite(whole[70:]).mean() > 0.8
    assert reads_future(forecasts, *market, DAYS) is None


def test_exposures_from_behind_the_return_are_caught(market: tuple[Panel, Universe]) -> None:
    """A return of day t is explained by exposures of t − 1: two days ahead of that nobody knows them."""
    assert reads_future(lambda p, u: forecasts(p, u, style_days_ahead=2), *market, DAYS) is not None


def test_a_mean_over_all_days_is_caught(market: tuple[Panel, Universe]) -> None:
    def demeaned(panel: Panel, universe: Universe) -> np.ndarray:
        close = panel["close"] / np.nanmean(panel["close"], axis=0)
        return forecasts(replace(panel, fields={**panel.fields, "float_mv": close * 1e9}), universe)

    assert reads_future(demeaned, *market, DAYS) is not None
