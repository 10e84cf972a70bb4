"""Adjusted prices that are given as raw: found by the grid of fen, or by closes that don't fall with the factor."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.store._adjustment import check_adjustment
from deepfactor.store.folder import write_market
from support.bars import weekdays

DAYS, STOCKS = 500, 8


def raw(seed: int = 0) -> pl.DataFrame:
    """Raw prices in fen of stocks that issue bonus shares once each (three for two), and the backward factor."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(STOCKS):
        adjusted = (5 + n) * np.exp(np.cumsum(rng.normal(0, 0.02, DAYS)))
        factor = np.where(np.arange(DAYS) < 60 + 40 * n, 1.0, 1.5)
        close = np.round(adjusted / factor, 2)
        days = weekdays(DAYS, date(2019, 1, 1))
        rows.append(pl.DataFrame({"date": days, "close": close, "adj_factor": factor, "symbol": f"60000{n}.SH"}))
    return pl.concat(rows).with_columns(volume=pl.lit(1e5))


def forward(frame: pl.DataFrame, digits: int) -> pl.DataFrame:
    """As a vendor gives it that scales history to the last price."""
    last = pl.col("adj_factor").last().over("symbol")
    return frame.with_columns(close=(pl.col("close") * pl.col("adj_factor") / last).round(digits))


@pytest.mark.parametrize("seed", range(5))
def test_raw_prices_pass(seed):
    assert check_adjustment(raw(seed)) == []
    single = raw(seed).with_columns(pl.col("close").cast(pl.Float32).cast(pl.Float64))
    assert check_adjustment(single) == [], "prices kept in single precision"


def test_prices_off_the_grid_are_named_with_share_year_and_first_row():
    daily = forward(raw().drop("adj_factor").with_columns(adj_factor=raw()["adj_factor"] * 1.037), 4)
    (finding,) = check_adjustment(daily)
    off = daily.filter(((pl.col("close") * 100).round(6) % 1) != 0)
    by_year = {
        year: off.filter(pl.col("date").dt.year() == year).height
        / daily.filter(pl.col("date").dt.year() == year).height
        for year in (2019, 2020)
    }
    assert finding.code == "adjusted_prices"
    assert finding.row == 1 + daily.select(((pl.col("close") * 100).round(6) % 1 != 0).arg_true()).item(0, 0)
    for year, share in by_year.items():
        assert (f"{year}: {share:.0%}" in finding.message) == (share > 0.2)
    assert any(share > 0.2 for share in by_year.values())
    assert "adjusted = true" in finding.message


def test_rounded_forward_adjusted_prices_are_found_by_the_factor():
    (finding,) = check_adjustment(forward(raw(), 2))
    assert finding.code == "adjusted_prices"
    assert finding.count == STOCKS
    assert finding.examples[0].endswith("600000.SH")
    assert "don't fall" in finding.message


def test_a_few_odd_prices_are_no_adjustment():
    odd = raw().with_columns(close=pl.col("close") + pl.when(pl.int_range(pl.len()) % 10 == 0).then(0.004).otherwise(0))
    assert check_adjustment(odd) == []


def test_a_market_that_is_declared_adjusted_is_taken(tmp_path):
    prices = {name: pl.col("close") for name in ("open", "high", "low", "vwap")}
    tables = {
        "daily": forward(raw(), 4).drop("adj_factor").with_columns(**prices).with_columns(close=pl.col("close") / 3)
    }
    tables["daily"] = tables["daily"].with_columns(pl.col("close").alias(name) for name in prices)
    source = {"name": "mine", "settings": {}, "simulated": False}
    with pytest.raises(DataError, match=r"column close: closes are no whole fen.*2019: \d+%"):
        write_market(tmp_path / "m", tables, source=source)
    assert not (tmp_path / "m" / "manifest.json").exists()
    assert write_market(tmp_path / "m", tables, source={**source, "adjusted": True}).manifest.source["adjusted"]
