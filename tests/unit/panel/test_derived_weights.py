"""Weights of an index of which only members are known: estimated where its own returns say so, and said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.audit import audit_panel
from deepfactor.panel.build import describe_panel, open_panel, opening
from deepfactor.panel.build.derived import month_starts
from deepfactor.store.folder import write_market
from support.index_market import INDEX, index_market
from support.market_tables import market_tables


@pytest.fixture(scope="module")
def made():
    return index_market()


@pytest.fixture(scope="module")
def opened(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("derived") / "m"
    write_market(path, made.tables, source={})
    return path, *open_panel(path)


def error(universe, made, rows):
    """Mean distance of the weights from the provider's."""
    return np.abs(universe.benchmark[INDEX][rows] - made.weights[rows]).sum(axis=1).mean() / 2


def test_estimated_weights_come_near_the_providers(made, opened):
    path, panel, universe = opened
    used = universe.weighting[INDEX]
    kinds = used.rows["kind"]
    first = int(np.flatnonzero(kinds == kinds[-1])[0])
    assert used.used().days.keys() == {"float_cap", "estimated"}
    assert first in month_starts(panel.dates), "factors change at the first close of a month"
    before, after = error(universe, made, slice(0, first)), error(universe, made, slice(first, None))
    assert before > 0.3, "two stocks of the state are most of the float value"
    assert after < 0.06
    content = describe_panel(path)
    assert f"days of {INDEX} with weights by estimated inclusion factors" in content["counts"]
    assert any("estimated" in text and INDEX in text for text in content["derived"])


def test_the_replica_follows_and_earns_the_dividends(opened):
    _, panel, universe = opened
    found = audit_panel(panel, universe)
    assert found.weights[INDEX].keys() == {"float_cap", "estimated"}
    replica = found.replicas[INDEX]
    assert replica.tracking_error[0] > 0.02, "the first half year is by float value"
    assert replica.tracking_error[1] < 0.02
    assert replica.replica_return[1] > replica.index_return[1]
    assert [one.code for one in found.findings if one.code.startswith("replica_")] == ["replica_strays"]


@pytest.mark.slow
def test_without_levels_or_with_a_faithful_float_value_nothing_is_estimated(made, tmp_path):
    bare = {name: frame for name, frame in made.tables.items() if name != "index_daily"}
    for name, tables in (("bare", bare), ("faithful", index_market(state=0.5).tables)):
        write_market(tmp_path / name, tables, source={})
        panel, universe = open_panel(tmp_path / name)
        assert universe.weighting[INDEX].used().days.keys() == {"float_cap"}
        value = np.where(universe.members[INDEX], panel["float_mv"].astype(float), 0.0)
        plain = value / value.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(universe.benchmark[INDEX], plain, atol=1e-7)


def test_raw_prices_without_a_factor_are_not_compared_with_an_index(made, tmp_path):
    """They fall with each issue of shares, the index doesn't."""
    daily = made.tables["daily"].drop("adj_factor")
    write_market(tmp_path / "m", {**made.tables, "daily": daily}, source={"no_adjustment": True})
    _, universe = open_panel(tmp_path / "m")
    assert universe.weighting[INDEX].used().days.keys() == {"float_cap"}


@pytest.mark.slow
def test_a_market_kept_up_day_by_day_equals_a_fresh_one(made, tmp_path, monkeypatch):
    """Over ends of months, where factors are fitted, days between, where those of the last fit hold, and a listing."""
    market = tmp_path / "m"
    starts = [int(row) for row in month_starts(np.array(made.dates, dtype="datetime64[D]"))]
    days = [starts[-4] - 1, starts[-4], starts[-4] + 1, starts[-4] + 5, starts[-2] + 3]
    late = (pl.col("symbol") != made.symbols[-1]) | (pl.col("date") >= made.dates[days[2]])
    made = replace(made, tables={**made.tables, "daily": made.tables["daily"].filter(late)})
    write_market(market, known(made, days[0]), source={})
    open_panel(market)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "write_whole", None)  # a whole build would need it
        for t in days[1:]:
            write_market(market, known(made, t), source={})
            open_panel(market)
    panel, universe = open_panel(market)
    write_market(tmp_path / "fresh", known(made, days[-1]), source={})
    fresh_panel, fresh = open_panel(tmp_path / "fresh")
    assert panel.fingerprint == fresh_panel.fingerprint
    assert universe.benchmark[INDEX].tobytes() == fresh.benchmark[INDEX].tobytes()
    assert universe.weighting[INDEX].rows.tobytes() == fresh.weighting[INDEX].rows.tobytes()
    assert universe.weighting[INDEX].used().days["estimated"] > 0
    assert describe_panel(market)["counts"] == describe_panel(tmp_path / "fresh")["counts"]


def known(made, t):
    """The tables as they were at the close of row t."""
    day = made.dates[t]
    members = made.tables["index_members"].filter(pl.col("start_date") <= day)
    ended = pl.when(pl.col("end_date") < day).then(pl.col("end_date"))
    return {
        **{name: made.tables[name].filter(pl.col("date") <= day) for name in ("daily", "index_daily")},
        "index_members": members.with_columns(ended.alias("end_date")),
        "calendar": made.tables["calendar"],
    }


def test_published_weights_say_their_sum_and_age(tmp_path):
    tables = market_tables(days=160)
    first = tables["index_weights"]["date"].min()
    third = pl.col("weight") / 3
    tables["index_weights"] = tables["index_weights"].filter(pl.col("date") == first).with_columns(third)
    write_market(tmp_path / "m", tables, source={})
    _, universe = open_panel(tmp_path / "m")
    rows = universe.weighting["000300.SH"].rows
    inside = rows["kind"] == 1
    assert rows["total"][inside] == pytest.approx(1 / 3)
    age = (universe.dates[inside] - np.datetime64(first, "D")).astype(int)
    np.testing.assert_array_equal(rows["age"][inside], age)
    np.testing.assert_allclose(universe.benchmark["000300.SH"][inside].sum(axis=1), 1.0, rtol=1e-6)
