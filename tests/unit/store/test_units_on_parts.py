"""Units that are wrong on a board, on some days or of some stocks: by columns that say the same, and by levels."""

from __future__ import annotations

import re

import polars as pl
import pytest

from deepfactor.store.checks import Basis, check_history, check_table
from support.bars import CODES, bars

RAW = Basis()
MORE = (*(f"6000{k}.SH" for k in range(20, 30)), *(f"0000{k}.SZ" for k in range(20, 30)))
STAR = tuple(f"6880{k}.SH" for k in range(16, 22))
VOLUME, DAY = pl.col("volume"), pl.col("date")
VWAP = (pl.col("open") + pl.col("high") + pl.col("low") + 2 * pl.col("close")) / 5


@pytest.fixture(scope="module")
def daily():
    return bars(codes=(*CODES, *MORE, *STAR[1:]), n=90)


@pytest.fixture(scope="module")
def days(daily):
    return daily["date"].unique().sort().to_list()


def where(cells):
    return pl.col("symbol").is_in(cells) if isinstance(cells, tuple) else cells


def off(daily, cells, factor, column="volume"):
    return daily.with_columns(pl.when(where(cells)).then(pl.col(column) * factor).otherwise(column).alias(column))


def with_turnover(daily):
    made = VOLUME * pl.col("close") / pl.col("float_mv")
    return daily.with_columns(vwap=VWAP, turnover=made).drop("amount")


def levels(daily):
    return daily.with_columns(vwap=VWAP).drop("amount")


def found(frame, since=None):
    """As `check_tables` does: no second look at rows that are wrong."""
    table = check_table("daily", frame, basis=RAW)
    wrong = any(one.severity == "error" for one in table)
    both = table if wrong else [*table, *check_history(frame, RAW, since=since)]
    return [one for one in both if one.code != "strange_level"]


def test_right_units_find_nothing(daily):
    for frame in (daily, with_turnover(daily), levels(daily), levels(daily).drop("float_mv")):
        assert found(frame) == []


@pytest.mark.parametrize(("base", "says"), [
    (lambda x: x, "amount / volume is 0.01 × close"),
    (lambda x: x.with_columns(vwap=VWAP), "amount / volume is 0.01 × vwap"),
    (with_turnover, "volume × close / float_mv is 100 × the given turnover"),
])  # fmt: skip
def test_a_board_in_another_unit_is_an_error_that_names_it(daily, base, says):
    (finding,) = found(off(base(daily), STAR, 100.0))
    assert (finding.severity, finding.code, finding.count) == ("error", "wrong_unit", 6 * 90)
    assert says in finding.message
    assert "all rows of STAR (540 of 540)" in finding.message
    assert f"on {6 / 37:.2%} of rows" in finding.message


@pytest.mark.parametrize("base", [lambda x: x, with_turnover])
def test_days_in_another_unit_are_an_error_that_names_them(daily, days, base):
    (finding,) = found(off(base(daily), DAY.is_in([days[40], days[41]]), 0.01))
    assert finding.severity == "error"
    assert f"all rows of {days[40]}, {days[41]} (74 of 74)" in finding.message


def test_a_board_on_some_days(daily, days):
    star = pl.col("symbol").is_in(STAR)
    (finding,) = found(off(with_turnover(daily), star & (days[70] <= DAY), 0.01))
    assert finding.severity == "error"
    assert f"all rows of STAR on {days[70]}, STAR on {days[71]}, STAR on {days[72]} and 17 more" in finding.message


def test_stocks_and_rows_in_another_unit_are_a_warning(daily, days):
    one = (pl.col("symbol") == MORE[0]) | ((pl.col("symbol") == MORE[1]) & (days[20] == DAY))
    (finding,) = found(off(with_turnover(daily), one, 100.0))
    assert (finding.severity, finding.code) == ("warning", "unit_of_rows")
    assert f"all rows of {MORE[0]} (90 of 90), 1 single rows (1 symbols, first {days[20]} {MORE[1]})" in finding.message


def test_amounts_in_thousands_on_a_board(daily):
    (finding,) = found(off(daily, STAR, 0.001, "amount"))
    assert "amount / volume is 0.001 × close" in finding.message
    assert finding.severity == "error"


def test_market_values_in_ten_thousands(daily):
    both = levels(daily).with_columns(total_mv=pl.col("float_mv") * 1.5)
    assert found(both) == []
    (finding,) = [one for one in found(off(both, STAR, 1e-4, "float_mv")) if one.column == "float_mv"]
    assert "float_mv is 0.0001 × total_mv" in finding.message
    assert "all rows of STAR" in finding.message
    whole = [one.message for one in check_table("daily", both.with_columns(pl.col("total_mv") / 1e4), basis=RAW)]
    assert any("float_mv is 10000 × total_mv on 100.00% of rows" in message for message in whole)


def test_the_whole_table_is_another_finding(daily):
    (finding,) = check_table("daily", off(daily, pl.lit(value=True), 0.01), basis=RAW)
    assert "at the median" in finding.message


@pytest.mark.parametrize("base", [levels, lambda x: levels(x).drop("float_mv")])
def test_without_amount_and_turnover_a_day_shows_by_its_jump(daily, days, base):
    (finding,) = found(off(base(daily), days[40] == DAY, 0.01))
    assert (finding.severity, finding.code, finding.count) == ("error", "wrong_unit", 2)
    into, back = finding.examples
    assert re.fullmatch(rf"by × 0.01 on 3\d of 37 names on {days[40]}", into)
    assert re.fullmatch(rf"by × 100 on 3\d of 37 names on {days[41]}", back)


def test_the_last_day_shows_by_its_jump_from_days_held(daily, days):
    frame = off(levels(daily), days[-1] == DAY, 0.01).filter(days[-30] <= DAY)
    (finding,) = found(frame, since=days[-1])
    assert (finding.severity, finding.count) == ("error", 1)
    assert found(off(levels(daily), days[-2] == DAY, 0.01).filter(days[-2] >= DAY), since=days[-1]) == []


def test_a_board_of_few_names_that_jumps_is_a_warning(daily, days):
    (finding,) = found(off(levels(daily), pl.col("symbol").is_in(STAR) & (days[-1] == DAY), 0.01))
    assert (finding.severity, finding.code) == ("warning", "unit_jump")
    assert f"on 6 of 6 names of STAR on {days[-1]}" in finding.message


def test_a_board_at_another_level_is_a_warning_of_few_names_and_an_error_of_many():
    few = off(levels(bars(codes=(*CODES, *MORE, *STAR[1:]), n=90)), STAR, 100.0)
    (finding,) = found(few)
    assert (finding.severity, finding.code, finding.count) == ("warning", "unit_of_board", 540)
    assert "of STAR is about 100 × that of any other board" in finding.message
    many = tuple(f"6881{k}.SH" for k in range(10, 32))
    *_, finding = found(off(levels(bars(codes=(*CODES, *many), n=70)), many, 0.01))
    assert (finding.severity, finding.code) == ("error", "wrong_unit")
    assert "of STAR is about 0.01 ×" in finding.message


def test_stocks_at_an_impossible_level_are_a_warning(daily):
    wrong = MORE[3:5]
    (finding,) = found(off(levels(daily), wrong, 1e-4, "float_mv"))
    assert (finding.severity, finding.code, finding.count) == ("warning", "unit_of_symbols", 2)
    assert [example[:9] for example in finding.examples] == sorted(wrong)
