"""A day appended: the arrays grow, and are byte for byte those of a panel built whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import describe_panel, open_panel, opening
from deepfactor.panel.build import extend as build_extend
from deepfactor.panel.build.past import PAST, read_past
from deepfactor.store.folder import write_market
from support.market_tables import LATE, SYMBOLS, filings, market_tables, until

DAYS = 44


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    """With reports; the market value of one stock is missing for a while, of whose days some are without a trade."""
    made = market_tables(seed=5, days=DAYS)
    days = sorted(set(made["daily"]["date"]))
    lost = (pl.col("symbol") == SYMBOLS[3]) & pl.col("date").is_between(days[19], days[34])
    halted = lost & pl.col("date").is_in([days[22], days[26]])
    daily = made["daily"].with_columns(
        float_mv=pl.when(~lost).then("float_mv"),
        volume=pl.when(halted).then(0.0).otherwise("volume"),
        amount=pl.when(halted).then(0.0).otherwise("amount"),
        is_suspended=pl.col("is_suspended") | halted,
    )
    return {**made, "daily": daily, "fundamentals": filings(5)}


@pytest.fixture(scope="module")
def dates(tables):
    return sorted(set(tables["daily"]["date"]))


def contents(panel: Path) -> dict[str, bytes]:
    """But for what it went on from."""
    files = (p for p in sorted(panel.rglob("*")) if p.is_file() and p.name != PAST)
    return {str(p.relative_to(panel)): p.read_bytes() for p in files}


def compiled(market: Path) -> Path:
    return market / "panel" / open_panel(market)[0].fingerprint


def whole(tables: dict[str, pl.DataFrame], market: Path) -> dict[str, bytes]:
    write_market(market, tables, source={})
    return contents(compiled(market))


@pytest.fixture
def appended(monkeypatch) -> Iterator[list[int]]:
    """How many rows each array was appended, of every panel that was gone on from."""
    rows: list[int] = []
    honest = build_extend.append

    def counted(file, length, array):
        rows.append(len(array))
        honest(file, length, array)

    monkeypatch.setattr(build_extend, "append", counted)
    return rows


@pytest.mark.slow
def test_day_by_day_equals_whole(tables, dates, tmp_path, appended):
    """Over splits, suspensions, a delisting, a publication of weights, days in one and in several at once."""
    market = tmp_path / "m"
    for t in (20, 21, 22, 25, 26, 31, 32, 33, 40, DAYS - 1):
        known = until(tables, dates[t])
        write_market(market, known, source={})
        assert contents(compiled(market)) == whole(known, tmp_path / f"whole{t}"), t
    assert {1, 3, 5} <= set(appended), "went on from the panel before"


def test_what_it_went_on_from_is_known_and_only_of_the_whole_panel(tables, dates, tmp_path):
    market, known = tmp_path / "m", {}
    for t in (20, 21, 24):
        write_market(market, until(tables, dates[t]), source={})
        panel, _ = open_panel(market)
        assert panel.past == known
        known = {**known, panel.fingerprint: t + 1}
    assert panel.until(20).past == {}
    file = compiled(market) / PAST
    assert read_past(file.parent) == panel.past
    file.write_bytes(file.read_bytes().replace(b"22", b"23"))
    assert open_panel(market)[0].past == {}, "damaged, it proves nothing"


@pytest.mark.slow
def test_a_new_symbol_widens_the_arrays(tables, dates, tmp_path, monkeypatch):
    """LATE lists on the appended day; its industry is known before."""
    first = min(tables["daily"].filter(pl.col("symbol") == LATE)["date"])
    t = dates.index(first)
    members = tables["index_members"].filter((pl.col("symbol") != LATE) | (pl.col("start_date") > first))
    weights = tables["index_weights"].filter(pl.col("symbol") != LATE)
    market, chosen = tmp_path / "m", {**tables, "index_members": members, "index_weights": weights}
    write_market(market, until(chosen, dates[t - 1]), source={})
    open_panel(market)
    monkeypatch.setattr(opening, "write_whole", None)  # a whole build would need it
    write_market(market, until(chosen, first), source={})
    panel, universe = open_panel(market)
    n = panel.symbols.tolist().index(LATE)
    assert universe.listed[:, n].tolist() == [False] * t + [True]
    assert (universe.industry[:t, n] >= 0).any()
    monkeypatch.undo()
    assert contents(compiled(market)) == whole(until(chosen, first), tmp_path / "whole")


@pytest.mark.slow
def test_a_new_symbol_with_a_past_is_built_whole(tables, dates, tmp_path, appended):
    symbol = SYMBOLS[6]
    cut = dates[30]
    unknown = tables["daily"].filter((pl.col("symbol") != symbol) | (pl.col("date") > cut))
    chosen = {**tables, "daily": unknown}
    market = tmp_path / "m"
    write_market(market, until(chosen, cut), source={})
    open_panel(market)
    write_market(market, until(chosen, dates[31]), source={})
    assert contents(compiled(market)) == whole(until(chosen, dates[31]), tmp_path / "whole")
    assert not appended


@pytest.mark.slow
def test_published_figures_grow_while_arrays_are_appended(tables, dates, tmp_path, monkeypatch):
    """Reports of the new days, and one of before that is restated: figures are whole, prices are gone on from."""
    market = tmp_path / "m"
    write_market(market, until(tables, dates[30]), source={})
    before, _ = open_panel(market)
    first = pl.int_range(pl.len()) == 0
    restated = tables["fundamentals"].with_columns(pl.when(first).then(7.0).otherwise("value").alias("value"))
    now = until({**tables, "fundamentals": restated}, dates[43])
    monkeypatch.setattr(opening, "write_whole", None)  # a whole build would need it
    write_market(market, now, source={})
    after, _ = open_panel(market)
    monkeypatch.undo()
    assert len(after.fundamentals["net_profit_ttm"].value) > len(before.fundamentals["net_profit_ttm"].value)
    assert 7.0 in after.fundamentals["net_profit_ttm"].value
    assert contents(compiled(market)) == whole(now, tmp_path / "whole")


@pytest.mark.slow
def test_a_missing_market_value_stays_missing_over_a_boundary(tables, dates, tmp_path):
    """It is carried over days without a trade, not over one on which the price moved."""
    market = tmp_path / "m"
    for t in (18, 21, 22, 25, 34, 35):
        write_market(market, until(tables, dates[t]), source={})
        panel, universe = open_panel(market)
    n = panel.symbols.tolist().index(SYMBOLS[3])
    assert not universe.traded[[22, 26], n].any()
    first = next(t for t in range(19, 35) if universe.traded[t, n])
    assert np.isfinite(panel["float_mv"][18, n])
    assert np.isnan(panel["float_mv"][first:35, n]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("daily", pl.col("close") + pl.when(pl.int_range(pl.len()) == 3).then(1e-9).otherwise(0.0)),
        (
            "industry",
            pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("industry 1")).otherwise("industry").alias("industry"),
        ),
        ("index_daily", pl.col("close") * 1.001),
        ("index_members", pl.lit(None, dtype=pl.Date).alias("end_date")),
    ],
)
def test_a_changed_past_is_built_whole(tables, dates, tmp_path, appended, table, change):
    market = tmp_path / "m"
    write_market(market, until(tables, dates[40]), source={})
    open_panel(market)
    now = until({**tables, table: tables[table].with_columns(change)}, dates[41])
    write_market(market, now, source={})
    assert contents(compiled(market)) == whole(now, tmp_path / "whole")
    assert not appended


def test_a_reader_keeps_its_rows_and_the_panel_before_opens(tables, dates, tmp_path, appended):
    market = tmp_path / "m"
    write_market(market, until(tables, dates[40]), source={})
    old, _ = open_panel(market)
    before = {name: np.array(values) for name, values in old.fields.items()}
    write_market(market, until(tables, dates[42]), source={})
    new, _ = open_panel(market)
    assert set(appended) == {2}
    for name, values in before.items():
        np.testing.assert_array_equal(old[name], values)
        np.testing.assert_array_equal(new[name][:-2], values)
    shared = [market / "panel" / p.fingerprint / "fields" / "close.npy" for p in (old, new)]
    assert shared[0].samefile(shared[1])
    write_market(market, until(tables, dates[40]), source={})
    again, _ = open_panel(market)
    assert again.shape == old.shape
    np.testing.assert_array_equal(again["close"], before["close"])


@pytest.mark.slow
def test_another_future_does_not_touch_the_longer_panel(tables, dates, tmp_path, appended):
    """Two ways to go on from one panel: the second may not write into the files that the first grew."""
    market = tmp_path / "m"
    write_market(market, until(tables, dates[40]), source={})
    open_panel(market)
    write_market(market, until(tables, dates[42]), source={})
    longer = contents(compiled(market))
    path = compiled(market)
    last = pl.col("date") == dates[41]
    revised = tables["daily"].with_columns(float_mv=pl.when(last).then(pl.col("float_mv") * 2).otherwise("float_mv"))
    now = until({**tables, "daily": revised}, dates[41])
    write_market(market, now, source={})
    assert contents(compiled(market)) == whole(now, tmp_path / "whole")
    assert contents(path) == longer


@pytest.mark.slow
def test_what_a_killed_append_left_is_overwritten(tables, dates, tmp_path, monkeypatch):
    market = tmp_path / "m"
    write_market(market, until(tables, dates[40]), source={})
    path = compiled(market)
    write_market(market, until(tables, dates[42]), source={})
    for file in ("fields/close.npy", "universe/st.npy", "index_close/000905.SH.npy"):
        with (path / file).open("ab") as handle:
            handle.write(b"half a row" * 100)
    np.load(path / "fields" / "close.npy", mmap_mode="r")
    assert contents(compiled(market)) == whole(until(tables, dates[42]), tmp_path / "whole")


@pytest.mark.slow
def test_counts_add_up(tables, dates, tmp_path):
    market = tmp_path / "m"
    write_market(market, until(tables, dates[30]), source={})
    open_panel(market)
    write_market(market, until(tables, dates[43]), source={})
    counts = describe_panel(market)["counts"]
    write_market(tmp_path / "whole", until(tables, dates[43]), source={})
    assert counts == describe_panel(tmp_path / "whole")["counts"]
    assert json.dumps(counts)
    assert counts["symbols without list date: listed from their first row"] == 1
