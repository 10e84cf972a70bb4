"""Study A's daily set against pandas, one stock at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from deepfactor.core.errors import DataError
from deepfactor.features import daily_set
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.training.scalings import last_close
from support.toy import toy_market

PRICES = ("open", "high", "low", "close", "vwap")


@pytest.fixture(scope="module")
def market() -> tuple[Panel, Universe]:
    """With a flat day and one on which nothing changed hands at a quoted price."""
    panel, universe = toy_market(days=90, stocks=12, seed=3)
    fields = {**panel.fields, "turnover": panel["volume"] / (panel["float_mv"] / panel["close"])}
    fields = {name: values.copy() for name, values in fields.items()}
    for name in PRICES:
        fields[name][50, 4] = fields["close"][49, 4]
    fields["volume"][60, 5] = fields["turnover"][60, 5] = 0
    return replace(panel, fields=fields), universe


def by_pandas(panel: Panel, column: int) -> dict[str, pd.Series]:
    """Every series of one stock by pandas' own functions."""
    raw = {name: pd.Series(panel[name][:, column].astype(float)) for name in panel.fields}
    factor = raw["adj_factor"]
    out = {name: np.log(raw[name] * factor) for name in PRICES}
    volume, amount = raw["volume"].where(raw["volume"] > 0) / factor, raw["vwap"] * raw["volume"]
    with np.errstate(divide="ignore"):
        out |= {"volume": np.log(volume), "amount": np.log(amount), "turnover": np.log(raw["turnover"])}
    out |= {f"ret_{k}": out["close"] - out["close"].shift(k) for k in (1, 5, 20)}
    out["range"] = np.log(raw["high"] / raw["low"])
    out["overnight"] = np.log(raw["open"] * factor) - out["close"].shift(1)
    out["close_position"] = (raw["close"] - raw["low"]) / (raw["high"] - raw["low"])
    out["volume_ratio"] = np.log(volume.rolling(5, min_periods=3).mean() / volume.rolling(20, min_periods=10).mean())
    daily = (out["ret_1"].abs() / amount).replace(np.inf, np.nan)
    out["amihud_20"] = np.log(daily.rolling(20, min_periods=10).mean())
    return out


def test_every_series_is_what_pandas_makes_of_its_definition(market: tuple[Panel, Universe]) -> None:
    panel, universe = market
    features = daily_set.compute(daily_set.Settings(), panel, universe)
    assert features.names == get_args(daily_set.FieldName)
    assert len(features.names) == 16 == features.values.shape[2]
    for column in range(panel.shape[1]):
        expected = by_pandas(panel, column)
        assert set(expected) == set(features.names)
        for k, name in enumerate(features.names):
            want = expected[name].where(universe.traded[:, column]).replace([-np.inf, np.inf], np.nan).to_numpy()
            np.testing.assert_allclose(features.values[:, column, k], want, rtol=2e-5, atol=2e-6, err_msg=name)


def test_what_is_missing(market: tuple[Panel, Universe]) -> None:
    panel, universe = market
    features = daily_set.compute(daily_set.Settings(), panel, universe)
    assert np.isnan(features.values[~universe.traded]).all()
    assert not np.isinf(features.values).any()
    assert np.isfinite(features.values[40:][universe.traded[40:]]).mean() > 0.9
    flat, untraded = features.values[50, 4], features.values[60, 5]
    missing = {name for name, value in zip(features.names, flat, strict=True) if np.isnan(value)}
    assert missing <= {"close_position"}, "a flat day has a range of 0"
    missing = {name for name, value in zip(features.names, untraded, strict=True) if np.isnan(value)}
    assert {"volume", "amount", "turnover"} <= missing


def test_roles_and_the_choice_of_fields(market: tuple[Panel, Universe]) -> None:
    settings = daily_set.Settings(fields=("ret_5", "close", "amount", "volume"))  # type: ignore[call-arg]
    features = daily_set.compute(settings, *market)
    assert (settings.window, features.names) == (60, ("ret_5", "close", "amount", "volume"))
    assert features.roles == ("plain", "price", "volume", "volume")
    whole = daily_set.compute(daily_set.Settings(), *market)
    assert whole.roles == (*("price",) * 5, *("volume",) * 2, *("plain",) * 9)
    last_close.check(whole)


def test_a_split_leaves_no_mark(market: tuple[Panel, Universe]) -> None:
    """From a day on twice the shares at half the price: no series moves but for rounding."""
    panel, universe = market
    later = np.arange(len(panel.dates))[:, None] >= 45
    fields = dict(panel.fields)
    for name in PRICES:
        fields[name] = np.where(later, panel[name] / 2, panel[name]).astype(np.float32)
    fields["volume"] = np.where(later, panel["volume"] * 2, panel["volume"]).astype(np.float32)
    fields["adj_factor"] = np.where(later, panel["adj_factor"] * 2, panel["adj_factor"])
    split = daily_set.compute(daily_set.Settings(), replace(panel, fields=fields), universe).values
    np.testing.assert_allclose(split, daily_set.compute(daily_set.Settings(), panel, universe).values, atol=1e-5)


def test_a_market_without_turnover_says_so(market: tuple[Panel, Universe]) -> None:
    panel, universe = market
    fields = {name: values for name, values in panel.fields.items() if name != "turnover"}
    with pytest.raises(DataError, match="no turnover"):
        daily_set.compute(daily_set.Settings(), replace(panel, fields=fields), universe)
