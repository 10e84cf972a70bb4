"""Rows under old and new codes as one history, rule by rule."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from deepfactor.store.stitching import Contradiction, scale_between, stitch

A = "600001.SH"
D = [date(2020, 1, day) for day in (2, 3, 6, 7, 8, 9)]


def frame(**columns: object) -> pl.DataFrame:
    return pl.DataFrame({"symbol": [A] * len(next(iter(columns.values()))), **columns})


def ages(*values: int) -> pl.Series:
    return pl.Series(values, dtype=pl.Int8)


def test_states_of_an_old_code_hold_until_the_newer_ones_first():
    rows = frame(
        industry=["a", "b", "c", "d", "e"],
        start_date=[D[0], D[2], D[4], D[1], D[3]],
        end_date=[D[5], None, None, D[1], None],
    )
    out = stitch("industry", rows, ages(2, 2, 2, 1, 0), {})
    assert out.frame.rows() == [
        (A, "a", D[0], date(2020, 1, 2)),
        (A, "d", D[1], D[1]),
        (A, "e", D[3], None),
    ]
    assert out.replaced == 2


def test_members_are_stitched_index_by_index():
    ends = pl.Series([None] * 3, dtype=pl.Date)
    rows = frame(index=["000300.SH", "000905.SH", "000905.SH"], start_date=[D[0], D[0], D[3]], end_date=ends)
    out = stitch("index_members", rows, ages(1, 1, 0), {}).frame
    assert out["end_date"].to_list() == [None, date(2020, 1, 6), None]


def test_rows_of_others_stay_as_they_are():
    others = pl.DataFrame({"symbol": ["600002.SH"] * 2, "industry": ["x", "y"], "start_date": [D[0], D[2]]})
    mine = frame(industry=["a", "b"], start_date=[D[0], D[1]])
    out = stitch("industry", pl.concat([others, mine]), ages(0, 0, 1, 0), {}).frame
    assert out.filter(pl.col("symbol") == "600002.SH").equals(others)


@pytest.mark.parametrize(
    ("listed", "gone", "age", "day", "expected"),
    [
        ([D[0], D[3]], [D[3], None], (1, 0), D[3], (D[0], None)),  # the old code's end is no delisting
        ([D[0], D[0]], [D[3], D[5]], (1, 0), D[3], (D[0], D[5])),
        ([None, D[3]], [None, None], (1, 0), D[3], (None, None)),  # the new code's listing is not the company's
        ([None, D[3]], [None, None], (1, 0), None, (D[3], None)),
        ([D[0]], [D[3]], (1,), D[3], (D[0], None)),
        ([D[0]], [D[5]], (1,), D[3], (D[0], D[5])),  # delisted later, and the vendor didn't follow the code
        ([D[0]], [D[5]], (1,), None, (D[0], None)),
        ([D[3]], [None], (0,), D[3], (None, None)),  # the vendor forgot the old one
        ([D[0]], [None], (0,), D[3], (D[0], None)),
    ],
)
def test_listings(listed, gone, age, day, expected):
    rows = frame(list_date=pl.Series(listed, dtype=pl.Date), delist_date=pl.Series(gone, dtype=pl.Date))
    out = stitch("securities", rows, ages(*age), {A: day} if day else {}).frame
    assert out.rows() == [(A, *expected)]


def test_reports_under_both_codes_count_once_and_the_newer_ones_stand():
    rows = frame(known_at=[D[0], D[1], D[1]], item=["x"] * 3, value=[1.0, 2.0, 3.0], period_end=[None] * 3)
    out = stitch("fundamentals", rows.with_columns(pl.col("period_end").cast(pl.Date)), ages(1, 0, 1), {})
    assert out.frame["value"].to_list() == [1.0, 2.0]
    assert out.replaced == 1


def test_a_publication_under_both_codes_is_refused():
    rows = frame(index=["000300.SH"] * 2, date=[D[0]] * 2, weight=[0.1, 0.2])
    with pytest.raises(Contradiction, match="under two of its codes") as error:
        stitch("index_weights", rows, ages(0, 1), {})
    assert error.value.position in (0, 1)


@pytest.mark.parametrize(
    ("before", "after", "shares", "scale"),
    [
        ((10.0, 3.2), (10.1, 1.0, None), None, 1 / 3.2),  # anew at 1
        ((10.0, 1.0), (10.1, 1.0005, None), None, 1.0),  # a rounded factor goes on
        ((10.0, 1.0), (10.1, 4.0, None), None, 4.0),  # anew, higher: the price didn't fall
        ((10.0, 1.0), (5.1, 2.0, None), None, 1.0),  # two for one on the day
        ((10.0, 3.2), (5.1, 1.0, 5.0), None, 1 / 6.4),  # anew, and two for one that day
        ((10.0, 1.0), (10.1, 1.0, 10.004), None, 1.0),  # a prev_close in fen
        ((10.0, 1.0), (5.0, 1.0, None), 2.0, 0.5),  # two shares for one
        ((10.0, 3.2), (30.0, 1.0, 28.0), 1.0, 1 / 3.2),  # as the user says, whatever a prev_close
    ],
)
def test_the_level_of_the_factor(before, after, shares, scale):
    last = pl.DataFrame([before], schema=["close", "adj_factor"], orient="row")
    first = pl.DataFrame([(*after, D[0])], schema=["close", "adj_factor", "prev_close", "date"], orient="row")
    assert scale_between(last, first, A, shares) == pytest.approx(scale, rel=1e-12)


@pytest.mark.parametrize("after", [(9.8, 1.05), (30.0, 2.0)])
def test_a_level_that_cant_be_told(after):
    last = pl.DataFrame([(10.0, 1.0)], schema=["close", "adj_factor"], orient="row")
    first = pl.DataFrame([(*after, D[0])], schema=["close", "adj_factor", "date"], orient="row")
    with pytest.raises(Contradiction, match="can't be told"):
        scale_between(last, first, A, None)
