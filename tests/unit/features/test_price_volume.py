"""The daily price-volume set."""

from __future__ import annotations

import numpy as np

from deepfactor.features import price_volume
from support.toy import toy_market


def test_values_are_logs_of_adjusted_prices_and_volume() -> None:
    panel, universe = toy_market()
    features = price_volume.compute(price_volume.Settings(), panel, universe)
    assert features.names == ("open", "high", "low", "close", "vwap", "volume")
    assert features.roles == ("price",) * 5 + ("volume",)
    factor = panel["adj_factor"]
    close = features.names.index("close")
    expected = np.log(panel["close"].astype(float) * factor)
    np.testing.assert_allclose(features.values[..., close], expected, atol=1e-6)
    expected = np.log(panel["volume"].astype(float) / factor)
    np.testing.assert_allclose(features.values[..., -1], expected, atol=2e-6)
    assert np.isnan(features.values[~universe.traded]).all()


def test_a_split_leaves_no_mark() -> None:
    """Twice the shares at half the price: adjusted price and adjusted volume do not move."""
    panel, universe = toy_market(30, 5, seed=1)
    fields = {k: np.ones_like(v) for k, v in panel.fields.items()}
    after = np.arange(30)[:, None] >= 15
    for name in ("open", "high", "low", "close", "vwap"):
        fields[name] = np.where(after, 5.0, 10.0).repeat(5, axis=1).astype(np.float32)
    fields["volume"] = np.where(after, 2000.0, 1000.0).repeat(5, axis=1).astype(np.float32)
    fields["adj_factor"] = np.where(after, 2.0, 1.0).repeat(5, axis=1)
    everyone = type(universe)(**{**vars(universe), "traded": np.ones((30, 5), bool)})
    split = type(panel)(panel.dates, panel.symbols, fields, "split")
    features = price_volume.compute(price_volume.Settings(), split, everyone)
    assert np.ptp(features.values, axis=0).max() < 1e-6
