"""Every fault that a table can have: found, counted, with its row and column; and a sound market has none."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from deepfactor.store.checks import Finding, check_tables
from support.market_tables import market_tables


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    made = market_tables(seed=4, days=30)
    made["daily"] = made["daily"].filter(pl.col("volume") > 0).with_columns(vwap=pl.col("amount") / pl.col("volume"))
    return made


def errors(tables: dict[str, pl.DataFrame]) -> list[Finding]:
    return [finding for finding in check_tables(tables) if finding.severity == "error"]


def at(row: int, column: str, value: object) -> pl.Expr:
    """`column` with `value` in one row, counted from 1."""
    return pl.when(pl.int_range(pl.len()) == row - 1).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


def test_a_sound_market_has_no_error(tables):
    assert errors(tables) == []


@pytest.mark.parametrize(
    ("code", "column", "change"),
    [
        ("not_positive", "close", at(9, "close", 0.0)),
        ("not_positive", "open", at(9, "open", -3.0)),
        ("not_positive", "adj_factor", at(9, "adj_factor", 0.0)),
        ("not_positive", "float_mv", at(9, "float_mv", 0.0)),
        ("negative", "volume", at(9, "volume", -100.0)),
        ("negative", "amount", at(9, "amount", -100.0)),
        ("high_below_low", "high", at(9, "high", 0.01)),
        ("outside_range", "close", at(9, "close", 1e6)),
        ("outside_range", "open", at(9, "open", 0.01)),
        ("outside_range", "vwap", at(9, "vwap", 1e6)),
        ("missing_price", "close", at(9, "high", None)),
        ("not_a_number", "close", at(9, "close", float("nan"))),
        ("not_a_number", "volume", at(9, "volume", float("inf"))),
        ("symbol_form", "symbol", at(9, "symbol", "SH600000")),
        ("null", "date", at(9, "date", None)),
        ("null", "symbol", at(9, "symbol", None)),
    ],
)
def test_a_bad_value_in_daily(tables, code, column, change):
    daily = tables["daily"].with_columns(change)
    found = {(f.code, f.column): f for f in errors({**tables, "daily": daily})}
    finding = found[code, column]
    assert (finding.table, finding.row, finding.count) == ("daily", 9, 1)
    assert len(finding.examples) == 1


def test_a_vwap_may_miss_the_range_by_a_tick(tables):
    near = pl.col("high") + 0.01
    assert errors({**tables, "daily": tables["daily"].with_columns(vwap=near)}) == []
    assert errors({**tables, "daily": tables["daily"].with_columns(vwap=near + 0.001)})[0].code == "outside_range"


def test_zero_prices_on_a_day_without_trade_are_no_fault(tables):
    empty = {"volume": 0.0, "open": 0.0, "high": 0.0, "low": 0.0, "close": 0.0}
    daily = tables["daily"].with_columns(at(9, column, value) for column, value in empty.items())
    assert errors({**tables, "daily": daily}) == []


def test_duplicate_key(tables):
    daily = pl.concat([tables["daily"], tables["daily"][[3, 5]]])
    finding = next(f for f in errors({**tables, "daily": daily}) if f.code == "duplicate_key")
    assert (finding.count, finding.row) == (2, tables["daily"].height + 1)
    row = tables["daily"].row(3, named=True)
    assert finding.examples[0] == f"{row['date']} {row['symbol']}"


def test_unsorted_dates(tables):
    order = [*range(6), 8, 7, *range(9, tables["daily"].height), 6]
    (finding,) = errors({**tables, "daily": tables["daily"][order]})
    assert (finding.code, finding.column, finding.count, finding.row) == ("unsorted", "date", 2, 8)


def test_rows_by_date_are_sorted_too(tables):
    assert errors({**tables, "daily": tables["daily"].sort("date", "symbol")}) == []


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        (lambda d: d.drop("close"), "missing_column", "close"),
        (lambda d: d.drop("vwap", "amount"), "missing_column", "amount"),
        (lambda d: d.rename({"vwap": "avg_price"}), "unknown_column", "avg_price"),
        (lambda d: d.with_columns(pl.col("close").cast(pl.String)), "column_type", "close"),
        (lambda d: d.with_columns(pl.col("date").cast(pl.Datetime)), "column_type", "date"),
        (lambda d: d.with_columns(is_st=pl.lit(1)), "column_type", "is_st"),
        (lambda d: d.clear(), "empty_table", None),
    ],
)
def test_form(tables, change, code, column):
    finding = errors({**tables, "daily": change(tables["daily"])})[0]
    assert (finding.code, finding.column) == (code, column)


def test_unknown_table_and_no_daily(tables):
    assert errors({**tables, "prices": tables["daily"]})[0].code == "unknown_table"
    assert errors({"calendar": tables["calendar"]})[0].code == "no_daily"


@pytest.mark.parametrize("factor", [0.01, 100.0, 1e-4])
def test_wrong_unit_of_volume_shows_in_the_implied_price(tables, factor):
    daily = tables["daily"].drop("vwap").with_columns(pl.col("volume") * factor)
    (finding,) = errors({**tables, "daily": daily})
    assert finding.code == "wrong_unit"
    ratio = float(finding.message.split("is ")[1].split(" ")[0])
    assert 0.8 < ratio * factor < 1.25


def test_a_few_implied_prices_outside_are_a_warning(tables):
    daily = tables["daily"].drop("vwap").with_columns(at(9, "amount", 1.0))
    assert errors({**tables, "daily": daily}) == []
    found = {f.code: f for f in check_tables({**tables, "daily": daily})}
    assert (found["implied_vwap_outside"].count, found["implied_vwap_outside"].row) == (1, 9)


@pytest.mark.parametrize(("factor", "code"), [(1, None), (0.01, "wrong_unit"), (100, "wrong_unit")])
def test_wrong_unit_of_volume_shows_in_the_turnover_of_many_stocks(factor, code):
    """A vwap and a float market value, no amount: 100 stocks of 1 % a day."""
    rows = [(date(2020, 1, 2), f"{600000 + i}.SH", *[10.0] * 5, 1e6 * factor, 1e9) for i in range(100)]
    columns = ["date", "symbol", "open", "high", "low", "close", "vwap", "volume", "float_mv"]
    daily = pl.DataFrame(rows, schema=columns, orient="row")
    assert [f.code for f in check_tables({"daily": daily})] == ([code] if code else [])


def test_wrong_unit_of_volume_shows_against_turnover(tables):
    turnover = pl.col("volume") * pl.col("close") / pl.col("float_mv")
    daily = tables["daily"].with_columns(turnover=turnover)
    assert errors({**tables, "daily": daily}) == []
    lots = daily.drop("amount").with_columns(pl.col("volume") / 100)
    assert [f.code for f in errors({**tables, "daily": lots})] == ["wrong_unit"]
    bare = {f.code for f in check_tables({**tables, "daily": lots.drop("turnover")})}
    assert "strange_turnover" in bare


def test_intervals(tables):
    members = tables["index_members"]
    bad = members.with_columns(at(4, "end_date", date(2000, 1, 1)))
    found = {f.code: f for f in errors({**tables, "index_members": bad})}
    assert (found["interval"].row, found["interval"].column) == (4, "end_date")
    still = members.filter(pl.col("end_date").is_null())[-1]
    again = still.with_columns(start_date=pl.lit(date(2021, 1, 1)))
    (finding,) = errors({**tables, "index_members": pl.concat([members, again])})
    assert (finding.code, finding.row) == ("interval_overlap", members.height + 1)
    ended = pl.concat([members.filter(pl.col("end_date").is_not_null())[-1]] * 2)
    twice = ended.with_columns(start_date=pl.Series([ended["start_date"][0], ended["end_date"][0]]))
    (finding,) = errors({**tables, "index_members": twice})
    assert (finding.code, finding.row) == ("interval_overlap", 2)
    after = twice.with_columns(pl.Series("end_date", [date(2020, 9, 1), None], dtype=pl.Date))
    after = after.with_columns(pl.Series("start_date", [date(2020, 8, 1), date(2020, 9, 2)]))
    assert errors({**tables, "index_members": after}) == []


def test_an_industry_holds_until_the_next_one_starts(tables):
    rows = [("600000.SH", "a", date(2001, 1, 1)), ("600000.SH", "b", date(2020, 8, 3))]
    industry = pl.DataFrame(rows, schema=["symbol", "industry", "start_date"], orient="row")
    assert errors({**tables, "industry": industry}) == []
    open_ended = industry.with_columns(end_date=pl.lit(None, dtype=pl.Date))
    assert errors({**tables, "industry": open_ended}) == []


def test_weights(tables):
    weights = tables["index_weights"]
    percent = weights.with_columns(pl.col("weight") * 100)
    assert errors({**tables, "index_weights": percent})[0].code == "weight_range"
    short = weights.with_columns(pl.col("weight") * 0.9)
    found = {f.code: f for f in check_tables({**tables, "index_weights": short})}
    assert found["weight_sum"].count == weights["date"].n_unique()


def test_what_one_table_says_of_another(tables):
    found = {
        (f.code, f.table): f
        for f in check_tables({**tables, "industry": tables["industry"].filter(pl.col("symbol") != "600000.SH")})
    }
    assert found["no_prices", "index_members"].examples == ("600999.SH",)
    assert found["not_in_industry", "daily"].examples == ("600000.SH",)
    assert ("not_in_securities", "daily") not in found


def test_an_index_most_of_whose_members_have_no_prices(tables):
    members = tables["index_members"].with_columns(
        symbol=pl.when(pl.int_range(pl.len()) > 0)
        .then(pl.format("{}.SZ", pl.int_range(pl.len()) + 300900))
        .otherwise("symbol")
    )
    found = {f.code: f for f in errors({**tables, "index_members": members})}
    assert found["members_without_prices"].row is not None
    assert found["members_without_prices"].count >= members.height - 1


def test_an_announcement_before_its_period_ends(tables):
    rows = [
        ("600000.SH", date(2020, 4, 29), "net_profit_ytd", 1e8, date(2020, 3, 31)),
        ("600000.SH", date(2020, 6, 30), "net_profit_ytd", 2e8, date(2020, 6, 30)),
        ("600001.SH", date(2020, 4, 30), "net_profit_ytd", 1e8, None),
        ("600001.SH", date(2020, 5, 6), "net_profit_ytd", None, date(2020, 6, 30)),  # the vendor's data end
    ]
    columns = ["symbol", "known_at", "item", "value", "period_end"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    (finding,) = errors({**tables, "fundamentals": frame})
    assert (finding.code, finding.row, finding.count) == ("announced_early", 2, 1)
