"""The features made by hand against pandas, one stock at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deepfactor.features import hand_features
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from support.toy import toy_market


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    panel, universe = toy_market(days=200, stocks=12, seed=3)
    turnover = (panel["volume"] / (panel["float_mv"] / panel["close"])).astype(np.float32)
    return replace(panel, fields={**panel.fields, "turnover": turnover}), universe


def by_pandas(panel: Panel, column: int) -> dict[str, pd.Series]:
    """Every feature of one stock by pandas' own rolling functions."""
    raw = {name: pd.Series(panel[name][:, column].astype(float)) for name in panel.fields}
    factor = raw["adj_factor"]
    close, opening = np.log(raw["close"] * factor), np.log(raw["open"] * factor)
    day, turnover = close.diff(), raw["turnover"]

    def rolling(x: pd.Series, days: int) -> pd.core.window.rolling.Rolling:
        return x.rolling(days, min_periods=-(-days // 2))

    out = {f"ret_{k}": close - close.shift(k) for k in hand_features.RETURNS}
    out |= {f"vol_{k}": rolling(day, k).std(ddof=0) for k in (20, 60)}
    out |= {f"turnover_{k}": np.log(rolling(turnover, k).mean()) for k in (5, 20, 60)}
    out["max_ret_20"] = rolling(day, 20).max()
    out["turnover_ratio"] = out["turnover_5"] - out["turnover_60"]
    out["amihud_20"] = np.log(rolling(day.abs() / (raw["vwap"] * raw["volume"]), 20).mean())
    out["range_20"] = rolling(np.log(raw["high"] / raw["low"]), 20).mean()
    out["overnight_20"] = rolling(opening - close.shift(1), 20).mean()
    out["close_position_20"] = rolling((raw["close"] - raw["low"]) / (raw["high"] - raw["low"]), 20).mean()
    out["vwap_gap_5"] = rolling(np.log(raw["vwap"] / raw["close"]), 5).mean()
    both = day.notna() & turnover.notna()
    out["price_volume_corr_20"] = rolling(day.where(both), 20).corr(turnover.where(both))
    out["high_60"] = close - rolling(close, 60).max()
    out["low_60"] = close - rolling(close, 60).min()
    return out


def test_every_feature_is_what_pandas_makes_of_its_definition(market: tuple[Panel, Universe]) -> None:
    panel, universe = market
    features = hand_features.compute(hand_features.Settings(), panel, universe)
    assert len(features.names) == 21 == features.values.shape[2]
    for column in range(panel.shape[1]):
        expected = by_pandas(panel, column)
        assert set(expected) == set(features.names)
        for k, name in enumerate(features.names):
            want = expected[name].where(universe.traded[:, column]).to_numpy()
            np.testing.assert_allclose(features.values[:, column, k], want, rtol=2e-5, atol=2e-6, err_msg=name)


def test_a_day_without_a_trade_has_none(market: tuple[Panel, Universe]) -> None:
    panel, universe = market
    values = hand_features.compute(hand_features.Settings(), panel, universe).values
    assert np.isnan(values[~universe.traded]).all()
    assert np.isfinite(values[150:][universe.traded[150:]]).mean() > 0.9


def test_an_infinity_is_missing(market: tuple[Panel, Universe]) -> None:
    panel, universe = market
    still = {**panel.fields, "turnover": np.zeros_like(panel["turnover"])}  # log 0
    features = hand_features.compute(hand_features.Settings(), replace(panel, fields=still), universe)
    assert not np.isinf(features.values).any()
    assert np.isnan(features.values[..., features.names.index("turnover_20")]).all()


def test_some_features_are_those_of_all(market: tuple[Panel, Universe]) -> None:
    whole = hand_features.compute(hand_features.Settings(), *market)
    some = dict(hand_features.chosen(*market, ("vol_20", "turnover_ratio")))
    assert list(some) == ["vol_20", "turnover_ratio"]
    for name, values in some.items():
        np.testing.assert_array_equal(values.astype(np.float32), whole.plain()[..., whole.names.index(name)])
