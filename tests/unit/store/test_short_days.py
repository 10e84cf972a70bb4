"""Days that are shorter than they should be: of the whole market, of a board, at the end, and from a later start."""

from __future__ import annotations

import polars as pl
import pytest

from deepfactor.store.checks.grid import Grid, board_name
from deepfactor.store.checks.short_days import check_short_days
from support.bars import CODES, bars

DAY, SYMBOL = pl.col("date"), pl.col("symbol")
FIVE = list(CODES[:5])
SZ = [code for code in CODES if code.endswith("SZ")]


@pytest.fixture(scope="module")
def daily():
    return bars(n=40)


@pytest.fixture(scope="module")
def days(daily):
    return daily["date"].unique().sort().to_list()


def found(frame, since=None):
    return check_short_days(Grid.of(frame), since)


def test_a_whole_market_has_none(daily, days):
    assert found(daily) == []
    assert found(daily.filter(days[0] == DAY)) == []
    assert found(daily, since=days[-1]) == []


@pytest.mark.parametrize("how", ["no row", "no volume", "null"])
def test_a_last_day_with_fewer_names(daily, days, how):
    lacking = (days[-1] == DAY) & ~SYMBOL.is_in(FIVE)
    volume = pl.when(lacking).then(None if how == "null" else 0.0).otherwise("volume")
    frame = daily.filter(~lacking) if how == "no row" else daily.with_columns(volume=volume)
    (finding,) = found(frame)
    assert (finding.severity, finding.code, finding.count) == ("warning", "short_last_day", 7)
    assert f"on the last day, {days[-1]}, 5 of 12 names that traded the day before have a row" in finding.message
    assert finding.examples[0] == "000011.SZ has none"
    assert found(frame, since=days[-1]) == [finding]


def test_two_halts_are_no_short_day(daily, days):
    assert found(daily.filter(~((days[-1] == DAY) & SYMBOL.is_in(CODES[:2])))) == []
    assert found(daily.filter(~((days[20] == DAY) & SYMBOL.is_in(CODES[:2])))) == []


def test_a_gap_in_the_middle_whose_names_come_back_together(daily, days):
    frame = daily.filter(~(DAY.is_between(days[20], days[22]) & ~SYMBOL.is_in(FIVE)))
    (finding,) = found(frame)
    assert (finding.code, finding.count) == ("short_days", 1)
    assert finding.examples == (
        f"{days[20]}: 5 of 12 names that traded the day before have a row with a trade; "
        f"7 of the others are back on {days[23]}",
    )


def test_halts_of_many_that_end_one_by_one_are_none(daily, days):
    halted = pl.lit(value=False)
    for k, code in enumerate(CODES[5:]):
        halted = halted | ((code == SYMBOL) & DAY.is_between(days[20], days[20 + 2 * k]))
    assert found(daily.filter(~halted)) == []


def test_names_that_end_together(daily, days):
    frame = daily.filter(SYMBOL.is_in(FIVE) | (days[30] > DAY))
    (finding,) = found(frame)
    assert finding.code == "short_days"
    assert finding.examples[0].endswith("7 of the others trade no more")


def test_a_board_that_lacks_is_named(days):
    frame = bars(codes=(*CODES, *(f"6001{k}.SH" for k in range(10, 50)), "300016.SZ", "300017.SZ"), n=40)
    chinext = SYMBOL.str.starts_with("300")
    (finding,) = found(frame.filter(~(chinext & (days[20] == DAY))))
    assert finding.examples[0].startswith(f"{days[20]} of ChiNext: 0 of 3 names that traded the day before")
    (finding,) = found(frame.filter(~(chinext & (days[-1] == DAY))))
    assert f"on the last day, {days[-1]}, of ChiNext 0 of 3 names" in finding.message


def test_many_names_that_begin_together_later(daily, days):
    (finding,) = found(daily.filter(~(SYMBOL.is_in(SZ) & (days[10] > DAY))))
    assert (finding.severity, finding.code, finding.examples) == (
        "warning",
        "late_start",
        (f"{days[10]}: 5 of 12 names",),
    )


def test_an_evening_judges_the_day_before_and_its_own(daily, days):
    short = daily.filter(~(DAY.is_in([days[10], days[-2]]) & ~SYMBOL.is_in(FIVE)))
    assert [one.code for one in found(short.filter(days[-2] >= DAY), since=days[-2])] == ["short_last_day"]
    (finding,) = found(short, since=days[-1])
    assert (finding.code, finding.count) == ("short_days", 1)
    assert finding.examples[0].startswith(str(days[-2]))


def test_boards_by_name():
    names = {"600000.SH": "Shanghai main board", "000001.SZ": "Shenzhen main board", "300001.SZ": "ChiNext",
             "688001.SH": "STAR", "430047.BJ": "Beijing", "900901.SH": "other codes"}  # fmt: skip
    assert {symbol: board_name(symbol) for symbol in names} == names
