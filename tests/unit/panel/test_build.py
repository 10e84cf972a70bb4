"""The crossing from tables to arrays, value by value against slow loops over the rows."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.market.boards import board_of
from deepfactor.market.limits import price_limits
from deepfactor.panel.build import describe_panel, open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.store.folder import write_market
from support.market_tables import BY_MEMBERS, BY_WEIGHTS, DELISTED, LATE, SUSPENDED, UNDATED, market_tables


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return market_tables(seed=1)


@pytest.fixture(scope="module")
def market(tables, tmp_path_factory):
    path = tmp_path_factory.mktemp("market") / "m"
    write_market(path, tables, source={})
    return path


@pytest.fixture(scope="module")
def built(market) -> tuple[Panel, Universe]:
    return open_panel(market)


@pytest.fixture(scope="module")
def rows(tables) -> dict[tuple[str, date], dict]:
    return {(row["symbol"], row["date"]): row for row in tables["daily"].rows(named=True)}


def days(panel: Panel) -> list[date]:
    return panel.dates.tolist()


def test_axes_are_sorted_and_whole(tables, built):
    panel, universe = built
    assert panel.symbols.tolist() == sorted(set(tables["daily"]["symbol"]))
    assert days(panel) == sorted(set(tables["daily"]["date"]))
    assert universe.dates is panel.dates
    assert panel.fields["adj_factor"].dtype == np.float64
    assert {v.dtype for k, v in panel.fields.items() if k != "adj_factor"} == {np.dtype(np.float32)}


def test_arrays_are_read_only(built):
    panel, universe = built
    for array in (*panel.fields.values(), universe.traded, universe.benchmark[BY_WEIGHTS]):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


def test_prices_are_the_rows_and_missing_without_a_trade(rows, built):
    panel, universe = built
    seen = 0
    for n, symbol in enumerate(panel.symbols):
        for t, day in enumerate(days(panel)):
            row = rows.get((symbol, day))
            traded = row is not None and row["volume"] > 0 and not row["is_suspended"]
            assert universe.traded[t, n] == traded
            for name in ("open", "high", "low", "close", "volume"):
                expected = np.float32(row[name]) if traded else np.float32(np.nan)
                np.testing.assert_array_equal(panel[name][t, n], expected)
            if traded:
                seen += 1
                np.testing.assert_allclose(panel["vwap"][t, n], row["amount"] / row["volume"], rtol=1e-6)
                share = row["volume"] * row["close"] / row["float_mv"]
                np.testing.assert_allclose(panel["turnover"][t, n], share, rtol=1e-6)
            else:
                assert np.isnan(panel["vwap"][t, n])
                assert np.isnan(panel["turnover"][t, n])
    assert 0 < seen < len(rows)


@pytest.mark.parametrize("name", ["adj_factor", "float_mv"])
def test_factor_and_market_value_are_carried_forward(rows, built, name):
    panel, _ = built
    for n, symbol in enumerate(panel.symbols):
        last = np.nan
        for t, day in enumerate(days(panel)):
            last = rows[symbol, day][name] if (symbol, day) in rows else last
            np.testing.assert_allclose(panel[name][t, n], last, rtol=1e-6 if name == "float_mv" else 0)


def test_st_is_the_last_known_mark(rows, built):
    panel, universe = built
    for n, symbol in enumerate(panel.symbols):
        last = False
        for t, day in enumerate(days(panel)):
            mark = rows.get((symbol, day), {}).get("is_st")
            last = last if mark is None else mark
            assert universe.st[t, n] == last
    assert universe.st.any()


def test_limits_follow_the_reference_price(tables, rows, built):
    """Reference = last traded close × its factor / the day's factor, to the fen; also over a split while suspended."""
    panel, universe = built
    listed = dict(zip(tables["securities"]["symbol"], tables["securities"]["list_date"], strict=True))
    crossed = 0
    for n, symbol in enumerate(panel.symbols):
        last = factor = None
        first = min(d for s, d in rows if s == symbol)
        for t, day in enumerate(days(panel)):
            row = rows.get((symbol, day))
            before, factor = factor, row["adj_factor"] if row else factor
            up = down = 0
            if last is not None and universe.listed[t, n]:
                crossed += factor != before
                age = sum(max(listed[symbol] or first, date(2020, 1, 1)) <= d < day for d in days(panel))
                old = listed[symbol] is not None and listed[symbol] < days(panel)[0]
                one = price_limits(
                    np.array([int(round(last[0] * last[1] / factor * 100, 3) + 0.5)]),
                    np.array([board_of(symbol)]),
                    universe.st[t, [n]],
                    np.array([10_000 if old else age]),
                    np.datetime64(day),
                )
                up, down = (int(x[0]) for x in one)
            assert (universe.limit_up[t, n], universe.limit_down[t, n]) == (up, down), (symbol, day)
            if universe.traded[t, n]:
                last = (row["close"], row["adj_factor"])
    assert crossed > 5


def test_given_limits_and_reference_win(tables, tmp_path):
    daily = tables["daily"].with_columns(
        prev_close=pl.when(pl.col("symbol") == SUSPENDED).then(pl.lit(50.0)),
        limit_up=pl.when(pl.col("symbol") == LATE).then(pl.lit(12.34)),
        limit_down=pl.when(pl.col("symbol") == LATE).then(pl.lit(1.23)),
    )
    write_market(tmp_path / "m", {**tables, "daily": daily}, source={})
    panel, universe = open_panel(tmp_path / "m")
    late, other = panel.symbols.tolist().index(LATE), panel.symbols.tolist().index(SUSPENDED)
    given = universe.traded[:, late]
    assert set(universe.limit_up[given, late]) == {1234}
    assert set(universe.limit_down[given, late]) == {123}
    plain = universe.traded[:, other] & ~universe.st[:, other]
    assert set(universe.limit_up[plain, other]) == {5500}
    assert universe.limit_up[0, other] in (5500, 5250)


def test_listing_spans(tables, built):
    panel, universe = built
    column = {symbol: n for n, symbol in enumerate(panel.symbols)}
    spans = {row["symbol"]: row for row in tables["securities"].rows(named=True)}
    when = np.array(days(panel))
    assert universe.listed[:, column[DELISTED]].tolist() == (when < spans[DELISTED]["delist_date"]).tolist()
    assert universe.listed[:, column[LATE]].tolist() == (when >= spans[LATE]["list_date"]).tolist()
    undated = tables["daily"].filter(pl.col("symbol") == UNDATED)["date"].min()
    assert universe.listed[:, column[UNDATED]].tolist() == (when >= undated).tolist()
    assert universe.listed[:, column[SUSPENDED]].all()


def test_industries_as_of_the_day(tables, built):
    panel, universe = built
    for n, symbol in enumerate(panel.symbols):
        mine = tables["industry"].filter(pl.col("symbol") == symbol).sort("start_date").rows(named=True)
        for t, day in enumerate(days(panel)):
            name = None
            for row in mine:
                if row["start_date"] <= day and (row["end_date"] is None or day <= row["end_date"]):
                    name = row["industry"]
            code = universe.industry[t, n]
            assert (universe.industries[code] if code >= 0 else None) == name


def test_members_by_interval_and_weights_from_market_value(tables, built, market):
    panel, universe = built
    for t, day in enumerate(days(panel)):
        inside = set()
        for row in tables["index_members"].rows(named=True):
            if row["start_date"] <= day and (row["end_date"] is None or day <= row["end_date"]):
                inside.add(row["symbol"])
        expected = np.array([s in inside for s in panel.symbols]) & universe.listed[t]
        np.testing.assert_array_equal(universe.member_mask(BY_MEMBERS)[t], expected)
        cap = np.where(expected, np.nan_to_num(panel["float_mv"][t].astype(float)), 0)
        weight = universe.benchmark_weights(BY_MEMBERS)[t]
        np.testing.assert_allclose(weight, cap / cap.sum() if cap.sum() else cap, atol=1e-7)
    assert universe.derived == {BY_MEMBERS}
    assert describe_panel(market)["counts"]["membership intervals of symbols without prices, left out"] == 1


def test_published_weights_drift_with_price(tables, built):
    panel, universe = built
    published = {d: g for (d,), g in tables["index_weights"].group_by("date")}
    price, weight = np.full(len(panel.symbols), np.nan), None
    for t, day in enumerate(days(panel)):
        traded = universe.traded[t]
        new = np.where(traded, panel["close"][t].astype(float) * panel["adj_factor"][t], price)
        if weight is not None:
            growth = new / price
            weight = weight * np.where(np.isfinite(growth), growth, 1)
        price = new
        if day in published:
            given = dict(zip(published[day]["symbol"], published[day]["weight"], strict=True))
            weight = np.array([given.get(s, 0.0) for s in panel.symbols])
        row = universe.benchmark_weights(BY_WEIGHTS)[t]
        if weight is None:
            assert not row.any()
            continue
        held = np.where(universe.listed[t], weight, 0)
        np.testing.assert_array_equal(universe.member_mask(BY_WEIGHTS)[t], held > 0)
        np.testing.assert_allclose(row, held / held.sum(), atol=2e-7)


def test_a_member_without_a_price_so_far_is_counted_and_does_not_drift(tables, tmp_path):
    first = sorted(set(tables["daily"]["date"]))[:7]
    silent, other = "600003.SH", "600000.SH"
    hidden = (pl.col("symbol") == silent) & (pl.col("date") < first[5])
    daily = tables["daily"].filter(~hidden & ((pl.col("date") <= first[6]) | (pl.col("symbol") != silent)))
    rows = [(BY_WEIGHTS, first[1], silent, 0.5), (BY_WEIGHTS, first[1], other, 0.5)]
    weights = pl.DataFrame(rows, schema=["index", "date", "symbol", "weight"], orient="row")
    write_market(tmp_path / "m", {**tables, "daily": daily, "index_weights": weights}, source={})
    panel, universe = open_panel(tmp_path / "m")
    counts = describe_panel(tmp_path / "m")["counts"]
    assert counts[f"member-days of {BY_WEIGHTS} before their first known price: weight does not drift"] == 4
    price = panel["close"][:, panel.symbols == other].astype(float) * panel["adj_factor"][:, panel.symbols == other]
    grown = price[4, 0] / price[1, 0]
    row = universe.benchmark_weights(BY_WEIGHTS)[4]
    np.testing.assert_allclose(row[panel.symbols == other], grown / (1 + grown), atol=1e-6)


def test_a_weekend_publication_replaces_friday_and_the_later_of_two_stands(tables, tmp_path):
    friday = next(d for d in sorted(set(tables["daily"]["date"])) if d.weekday() == 4)
    rows = [(friday + timedelta(days=1), "600000.SH"), (friday + timedelta(days=2), "600003.SH")]
    columns = ["index", "date", "symbol", "weight"]
    weights = pl.DataFrame([(BY_WEIGHTS, d, s, 1.0) for d, s in rows], schema=columns, orient="row")
    write_market(tmp_path / "m", {**tables, "index_weights": weights}, source={})
    panel, universe = open_panel(tmp_path / "m")
    monday = days(panel).index(friday + timedelta(days=3))
    members = universe.member_mask(BY_WEIGHTS)
    assert not members[:monday].any()
    assert panel.symbols[members[monday]].tolist() == ["600003.SH"]


def test_index_levels(tables, built):
    panel, universe = built
    given = {(r["index"], r["date"]): r["close"] for r in tables["index_daily"].rows(named=True)}
    for index in (BY_MEMBERS, BY_WEIGHTS):
        expected = [given.get((index, day), np.nan) for day in days(panel)]
        np.testing.assert_array_equal(universe.index_close[index], expected)
    np.testing.assert_allclose(universe.index_total_return[BY_WEIGHTS], universe.index_close[BY_WEIGHTS] * 1.2)
    assert BY_MEMBERS not in universe.index_total_return


def test_next_date_reaches_past_the_data_by_the_calendar(tables, built, tmp_path):
    panel, universe = built
    ahead = tables["calendar"]["date"].to_list()
    assert universe.next_date.tolist() == [ahead[ahead.index(day) + 1] for day in days(panel)]
    without = {name: frame for name, frame in tables.items() if name != "calendar"}
    write_market(tmp_path / "m", without, source={})
    _, derived = open_panel(tmp_path / "m")
    assert derived.next_date[:-1].tolist() == days(panel)[1:]
    assert np.isnat(derived.next_date[-1])


def test_without_market_value_there_are_members_but_no_weights(tables, tmp_path):
    bare = {**tables, "daily": tables["daily"].drop("float_mv")}
    write_market(tmp_path / "m", bare, source={})
    panel, universe = open_panel(tmp_path / "m")
    assert universe.member_mask(BY_MEMBERS).any()
    assert universe.benchmark_weights(BY_WEIGHTS).any()
    with pytest.raises(DataError, match=f"{BY_MEMBERS} has no weights"):
        universe.benchmark_weights(BY_MEMBERS)
    with pytest.raises(DataError, match="no float_mv"):
        panel.market_cap("float")


def test_what_is_derived_is_said(market):
    content = describe_panel(market)
    assert {"vwap", "turnover", "prev_close", "limit_up", "limit_down"} <= set(content["derived"])
    assert f"benchmark {BY_MEMBERS} from float_mv" in content["derived"]
    assert content["counts"]["symbols without list date: listed from their first row"] == 1
    assert content["counts"]["daily rows without a trade"] > 0


def test_built_once(market, built):
    folder = market / "panel"
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    again, _ = open_panel(market)
    assert again.fingerprint == built[0].fingerprint
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


@pytest.mark.slow
def test_a_changed_table_makes_a_new_panel_and_the_oldest_goes(tables, tmp_path):
    path, prints = tmp_path / "m", []
    for scale in (1.0, 2.0, 3.0):
        daily = tables["daily"].with_columns(pl.col("float_mv") * scale)
        write_market(path, {**tables, "daily": daily}, source={})
        prints.append(open_panel(path)[0].fingerprint)
    assert len(set(prints)) == 3
    assert sorted(p.name for p in (path / "panel").iterdir()) == sorted(prints[1:])


def test_a_build_that_was_killed_is_cleared(tables, tmp_path):
    write_market(tmp_path / "m", tables, source={})
    dead = tmp_path / "m" / "panel" / ".0123456789abcdef.999999999.tmp"
    dead.mkdir(parents=True)
    open_panel(tmp_path / "m")
    assert not dead.exists()
