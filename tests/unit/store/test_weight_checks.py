"""Published weights: in fractions, whole, recent; what an index's code says of its members."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from deepfactor.store.checks import check_tables
from support.market_tables import market_tables

INDEX, FIRST = "000016.SH", date(2020, 1, 2)  # SSE 50
PRICE = dict.fromkeys(("open", "high", "low", "close", "vwap"), 10.0)


def market(stocks: int, days: int = 300) -> pl.DataFrame:
    """Table `daily`: each stock has a first and a last day, which is what these checks look at."""
    dates = [FIRST, FIRST + timedelta(days=days)]
    keys = [{"date": day, "symbol": f"{600000 + i}.SH"} for i in range(stocks) for day in dates]
    return pl.DataFrame([{**key, **PRICE, "volume": 1e6} for key in keys])


def published(members: int, days: list[int], weight: float | None = None) -> pl.DataFrame:
    rows = [
        (INDEX, FIRST + timedelta(days=day), f"{600000 + i}.SH", 1 / members if weight is None else weight)
        for day in days
        for i in range(members)
    ]
    return pl.DataFrame(rows, schema=["index", "date", "symbol", "weight"], orient="row")


def found(daily: pl.DataFrame, weights: pl.DataFrame, **settings) -> dict[str, tuple[str, int, tuple[str, ...]]]:
    tables = {"daily": daily, "index_weights": weights}
    of_weights = [one for one in check_tables(tables, **settings) if one.table == "index_weights"]
    return {one.code: (one.severity, one.count, one.examples) for one in of_weights}


def test_whole_recent_weights_are_not_spoken_of():
    assert found(market(60), published(50, [0, 90, 180, 280])) == {}
    assert found(market(60), published(46, [0, 90, 180, 280])) == {}, "a tenth may be missing"


def test_percent_is_refused_where_no_single_weight_is_above_one():
    errors = found(market(60), published(50, [0, 90, 180, 280], weight=0.9))
    assert errors["weight_sum"][:2] == ("error", 200)
    rounded = published(50, [0, 90, 180, 280], weight=0.0201)
    assert found(market(60), rounded) == {}, "rounding to a basis point"


@pytest.mark.parametrize(("weight", "least"), [(0.02 * 0.08, "0.08"), (0.01, "0.5"), (0.03, None)])
def test_a_sum_off_one_is_warned_of_with_the_least(weight, least):
    warned = found(market(60), published(50, [0, 90, 180, 280], weight=weight))["weight_sum"]
    assert warned[0] == ("warning" if least or weight * 50 <= 1.5 else "error")
    assert warned[2][0].startswith(f"{INDEX} 2020-01-02")
    assert least is None or warned[2][0].endswith(least)


def test_a_gap_and_a_last_publication_long_ago_are_stale():
    warned = found(market(60), published(50, [0, 101, 190]))["stale_weights"]
    assert warned[:2] == ("warning", 2)
    assert warned[2] == (
        f"{INDEX}: none after 2020-07-10, prices go to 2020-10-28",
        f"{INDEX}: none between 2020-01-02 and 2020-04-12",
    )
    assert "stale_weights" not in found(market(60), published(50, [0, 100, 200])), "a quarter and its holidays"


def test_ten_of_fifty_are_cut_to_the_largest():
    warned = found(market(60), published(10, [0, 90, 180, 280]))
    assert warned["members_missing"] == (
        "warning", 4, tuple(f"{INDEX} {FIRST + timedelta(days=d)}: 10 of 50" for d in (0, 90, 180, 280)),
    )  # fmt: skip
    assert found(market(49), published(10, [0, 90, 180, 280])) == {}, "a market that is smaller than the index"
    assert found(market(60), published(10, [0, 90, 180, 280]), simulated=True) == {}


def test_intervals_of_too_few_members_are_warned_of():
    last = FIRST + timedelta(days=300)
    rows = [(INDEX, f"{600000 + i}.SH", FIRST, None if i < 10 else last - timedelta(days=1)) for i in range(50)]
    members = pl.DataFrame(rows, schema=["index", "symbol", "start_date", "end_date"], orient="row")
    found = check_tables({"daily": market(60), "index_members": members})
    (warned,) = [one for one in found if one.table == "index_members"]
    assert (warned.code, warned.table, warned.examples) == (
        "members_missing", "index_members", (f"{INDEX} {last}: 10 of 50",),
    )  # fmt: skip


def test_the_random_market_has_none_of_it():
    tables = market_tables(seed=1, days=60)
    codes = {one.code for one in check_tables(tables)}
    assert not codes & {"weight_sum", "stale_weights", "members_missing"}
