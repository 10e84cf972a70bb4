"""Table `fundamentals` → events of the panel; what is published later leaves what was known as it was."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import describe_panel, open_panel
from deepfactor.store.folder import write_market
from support.market_tables import SYMBOLS, filings, market_tables, until


def test_events_are_the_tables_rows(tmp_path):
    tables = {**market_tables(), "fundamentals": filings()}
    write_market(tmp_path, tables, source={})
    panel, _ = open_panel(tmp_path)
    assert panel.fundamentals is not None
    assert set(panel.fundamentals.items) == {"net_profit_ttm", "total_shares"}
    events = panel.fundamentals["net_profit_ttm"]
    found = set()
    for c, q, k, v in zip(events.column, events.quarter, events.known, events.value, strict=True):
        found.add((str(panel.symbols[c]), q, np.datetime64(int(k), "D").item(), None if np.isnan(v) else float(v)))
    rows = tables["fundamentals"].filter((pl.col("item") == "net_profit_ttm") & (pl.col("symbol") != "600999.SH"))
    wanted = {
        (r["symbol"], r["period_end"].year * 4 + (r["period_end"].month - 1) // 3, r["known_at"], r["value"])
        for r in rows.rows(named=True)
    }
    assert found == wanted
    assert describe_panel(tmp_path)["counts"]["fundamentals of symbols without prices, left out"] == 4
    np.testing.assert_array_equal(panel.fundamentals.in_force("total_shares"), np.float32(1e8))


@pytest.mark.slow
def test_a_cut_changes_nothing_before_it(tmp_path):
    tables = {**market_tables(), "fundamentals": filings(3)}
    write_market(tmp_path / "whole", tables, source={})
    whole, _ = open_panel(tmp_path / "whole")
    assert whole.fundamentals is not None
    days = tables["daily"]["date"].unique().sort().to_list()
    for t in (12, 30, 45):
        known = tables["fundamentals"].filter(pl.col("known_at") <= days[t])
        write_market(tmp_path / f"{t}", {**until(tables, days[t]), "fundamentals": known}, source={})
        cut, _ = open_panel(tmp_path / f"{t}")
        assert cut.fundamentals is not None
        column = np.searchsorted(whole.symbols, cut.symbols)
        for item in whole.fundamentals.items:
            before = whole.fundamentals.in_force(item)[: t + 1, column]
            assert before.tobytes() == cut.fundamentals.in_force(item).tobytes()
            own = whole.until(t).fundamentals
            assert own is not None
            assert own.in_force(item)[:, column].tobytes() == before.tobytes()


def test_a_market_without_the_table_has_none(tmp_path):
    write_market(tmp_path, market_tables(), source={})
    assert open_panel(tmp_path)[0].fundamentals is None


def test_market_value_is_held_over_days_without_a_trade_only(tmp_path):
    """Where shares stop being known while the stock trades on, its value is missing, not that of an old price."""
    tables = market_tables()
    daily, day = tables["daily"], sorted(tables["daily"]["date"].unique())[30]
    stops = (pl.col("symbol") == SYMBOLS[0]) & (pl.col("date") >= day)
    tables["daily"] = daily.with_columns(float_mv=pl.when(~stops).then("float_mv"))
    write_market(tmp_path, tables, source={})
    panel, universe = open_panel(tmp_path)
    column = list(panel.symbols).index(SYMBOLS[0])
    traded, value = universe.traded[:, column], panel["float_mv"][:, column]
    assert np.isfinite(value[:30]).all()
    assert np.isnan(value[30:][traded[30:]]).all()
    first = 30 + int(np.argmax(traded[30:]))
    assert np.isnan(value[first:]).all()
