"""A simulated market through the store to the panel: what went in as tables comes out as arrays."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.core.arrays import Float64
from deepfactor.core.kind import kinds_in, load_kind
from deepfactor.panel.build import describe_panel, open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.sources.simulated import Settings, Simulated, open_source
from deepfactor.store.folder import write_market


@pytest.fixture(scope="module")
def source() -> Simulated:
    return open_source(Settings(stocks=120, start=date(2019, 1, 2), end=date(2021, 12, 31), seed=1), None)


@pytest.fixture(scope="module")
def market(source: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "market"
    write_market(path, {name: source.fetch(name) for name in source.tables()}, source=source.describe())
    return path


@pytest.fixture(scope="module")
def opened(market: Path) -> tuple[Panel, Universe]:
    return open_panel(market)


def _dense(frame: pl.DataFrame, column: str, panel: Panel) -> Float64:
    """(T, N) of a table's column, placed by a dictionary; NaN where no row."""
    row = {d: i for i, d in enumerate(panel.dates.tolist())}
    place = {s: i for i, s in enumerate(panel.symbols.tolist())}
    out = np.full(panel.shape, np.nan)
    for day, symbol, value in frame.select("date", "symbol", pl.col(column).cast(pl.Float64)).iter_rows():
        out[row[day], place[symbol]] = np.nan if value is None else value
    return out


def test_fields(source: Simulated, opened: tuple[Panel, Universe]) -> None:
    panel, universe = opened
    daily = source.fetch("daily")
    assert panel.dates.tolist() == daily["date"].unique().sort().to_list()
    assert panel.symbols.tolist() == daily["symbol"].unique().sort().to_list()
    traded = _dense(daily, "volume", panel) > 0
    np.testing.assert_array_equal(universe.traded, traded)
    for name in ("open", "high", "low", "close", "volume", "turnover"):
        expected = np.where(traded, _dense(daily, name, panel), np.nan)
        np.testing.assert_allclose(panel[name], expected, rtol=1e-6, err_msg=name)
    vwap = np.where(traded, _dense(daily, "amount", panel), np.nan) / np.where(traded, panel["volume"], 1)
    np.testing.assert_allclose(panel["vwap"], vwap, rtol=1e-6)
    listed = np.isfinite(_dense(daily, "close", panel))
    for name in ("total_mv", "float_mv", "adj_factor"):
        np.testing.assert_allclose(panel[name][listed], _dense(daily, name, panel)[listed], rtol=1e-6, err_msg=name)


def test_universe(source: Simulated, opened: tuple[Panel, Universe]) -> None:
    panel, universe = opened
    daily = source.fetch("daily")
    listed = np.isfinite(_dense(daily, "close", panel))
    np.testing.assert_array_equal(universe.listed, listed)
    np.testing.assert_array_equal(universe.st & listed, _dense(daily, "is_st", panel) == 1)
    for name in ("limit_up", "limit_down"):
        fen = np.rint(np.nan_to_num(_dense(daily, name, panel)) * 100)
        np.testing.assert_array_equal(getattr(universe, name), fen, err_msg=name)
    assert (universe.industry[listed] >= 0).all()
    assert not np.isnat(universe.next_date).any()
    assert universe.derived == frozenset()
    assert set(universe.members) == {"000300.SH", "000852.SH", "000905.SH", "000985.SH"}
    for index, level in universe.index_close.items():
        table = source.fetch("index_daily").filter(pl.col("index") == index).sort("date")
        np.testing.assert_array_equal(level, table["close"].to_numpy())


def test_benchmark_weights_are_float_cap_weights(source: Simulated, opened: tuple[Panel, Universe]) -> None:
    """From the last publication they drift with adjusted prices: within a dividend of the day's own cap weights."""
    panel, universe = opened
    cap = _dense(source.fetch("daily"), "float_mv", panel)
    published = source.fetch("index_weights")
    for index, weights in universe.benchmark.items():
        held = np.where(universe.members[index], np.nan_to_num(cap), 0.0)
        own = held / held.sum(axis=1, keepdims=True)
        # a stock suspended on the first day has no price to drift from before the second publication, a month later
        assert np.abs(weights - own)[30:].max() < 0.005, index
        days = published.filter(pl.col("index") == index)["date"].unique().to_list()
        rows = np.isin(panel.dates, np.array(days, "datetime64[D]"))
        np.testing.assert_allclose(weights[rows], own[rows], atol=1e-6)


def test_the_panel_derived_nothing_and_lost_nothing(market: Path, opened: tuple[Panel, Universe]) -> None:
    account = describe_panel(market)
    lost = {reason: count for reason, count in account["counts"].items() if count}
    silent = {reason for reason in lost if reason.endswith("before their first known price: weight does not drift")}
    assert set(lost) - silent == {"daily rows without a trade"}, lost
    assert sum(lost[reason] for reason in silent) < 10, "members that are suspended as the market begins"
    assert set(account["derived"]) <= {"vwap", "limit_up", "limit_down"}


@pytest.mark.parametrize("kind", kinds_in("deepfactor.styles"))
def test_every_style_set_is_complete_here(kind: str, opened: tuple[Panel, Universe]) -> None:
    """The market publishes reports and both market values: no style is absent, none is empty on the last day."""
    module = load_kind("deepfactor.styles", kind)
    styles = module.compute(module.Settings(), *opened)
    assert not styles.absent
    _, universe = opened
    for name, values in styles.exposures.items():
        share = np.isfinite(values[-1, universe.listed[-1]]).mean()
        assert share > 0.9, name
