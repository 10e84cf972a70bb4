"""Price limits against cases worked by hand from the exchanges' rules."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from deepfactor.core.errors import DataError
from deepfactor.market.boards import Board
from deepfactor.market.limits import LONG_LISTED, price_limits

MAIN, CHINEXT, STAR, BEIJING = Board.MAIN, Board.CHINEXT, Board.STAR, Board.BEIJING


def one(date: str, board: Board, prev: int, st: bool = False, age: int = LONG_LISTED) -> tuple[int, int]:
    """The limits of one stock on one day."""
    up, down = price_limits(np.array([prev]), np.array([board]), np.array([st]), np.array([age]), np.datetime64(date))
    assert up.dtype == down.dtype == np.int32
    return int(up[0]), int(down[0])


@pytest.mark.parametrize(
    ("date", "board", "prev", "st", "expected"),
    [
        ("2015-06-01", MAIN, 1005, False, (1106, 905)),  # 11.055 and 9.045 round up
        ("2015-06-01", MAIN, 1004, False, (1104, 904)),  # 11.044, 9.036
        ("2015-06-01", MAIN, 150, True, (158, 143)),  # 1.575, 1.425
        ("2026-07-03", MAIN, 1000, True, (1050, 950)),
        ("2026-07-06", MAIN, 1000, True, (1100, 900)),
        ("2020-08-21", CHINEXT, 1000, False, (1100, 900)),
        ("2020-08-21", CHINEXT, 1000, True, (1050, 950)),
        ("2020-08-24", CHINEXT, 1000, False, (1200, 800)),
        ("2020-08-24", CHINEXT, 1000, True, (1200, 800)),
        ("2019-09-02", STAR, 4321, False, (5185, 3457)),  # 51.852, 34.568
        ("2021-09-02", STAR, 4321, True, (5185, 3457)),
        ("2021-12-01", BEIJING, 1005, False, (1307, 704)),  # 13.065, 7.035
        ("2021-12-01", BEIJING, 1005, True, (1307, 704)),
        ("2021-11-12", BEIJING, 1005, False, (0, 0)),  # no exchange yet
        ("2015-06-01", MAIN, 3, False, (4, 2)),  # at least one tick
        ("2015-06-01", MAIN, 1, False, (2, 1)),  # never below one tick
        ("2015-06-01", MAIN, 0, False, (0, 0)),  # reference not known
    ],
)
def test_ordinary_day(date: str, board: Board, prev: int, st: bool, expected: tuple[int, int]) -> None:
    assert one(date, board, prev, st) == expected


@pytest.mark.parametrize(
    ("date", "board", "age", "expected"),
    [
        ("2012-05-02", MAIN, 0, (0, 0)),  # before 2014-06-13: free first day
        ("2012-05-03", MAIN, 1, (1100, 900)),
        ("2014-06-26", MAIN, 0, (1440, 640)),
        ("2014-06-27", MAIN, 1, (1100, 900)),
        ("2015-03-10", CHINEXT, 0, (1440, 640)),
        ("2020-08-21", CHINEXT, 0, (1440, 640)),
        ("2020-08-24", CHINEXT, 0, (0, 0)),
        ("2020-08-24", CHINEXT, 1, (1200, 800)),  # listed under the old rules, the new daily limit
        ("2020-08-28", CHINEXT, 4, (0, 0)),
        ("2020-08-31", CHINEXT, 5, (1200, 800)),
        ("2023-04-07", MAIN, 0, (1440, 640)),
        ("2023-04-10", MAIN, 0, (0, 0)),
        ("2023-04-10", MAIN, 1, (1100, 900)),  # listed on 2023-04-07
        ("2023-04-14", MAIN, 4, (0, 0)),
        ("2023-04-17", MAIN, 5, (1100, 900)),
        ("2019-07-22", STAR, 0, (0, 0)),
        ("2019-07-26", STAR, 4, (0, 0)),
        ("2019-07-29", STAR, 5, (1200, 800)),
        ("2021-11-15", BEIJING, 0, (0, 0)),
        ("2021-11-16", BEIJING, 1, (1300, 700)),
        ("2021-11-16", MAIN, -1, (0, 0)),  # not listed yet
    ],
)
def test_first_days_after_listing(date: str, board: Board, age: int, expected: tuple[int, int]) -> None:
    assert one(date, board, 1000, age=age) == expected


def test_a_matrix_is_the_same_as_its_rows() -> None:
    random = np.random.default_rng(5)
    dates = np.arange("2020-08-17", "2020-09-05", dtype="datetime64[D]")
    dates = dates[np.is_busday(dates)]
    boards = random.integers(0, 4, 60).astype(np.int8)
    shape = (len(dates), len(boards))
    prev = random.integers(0, 5000, shape)
    st = random.random(shape) < 0.3
    age = np.arange(shape[0])[:, None] - random.integers(-6, 10, shape[1])[None, :]
    up, down = price_limits(prev, boards, st, age, dates)
    assert up.shape == down.shape == shape
    for t, date in enumerate(dates):
        row_up, row_down = price_limits(prev[t], boards, st[t], age[t], date)
        np.testing.assert_array_equal(up[t], row_up)
        np.testing.assert_array_equal(down[t], row_down)


@given(prev=some.integers(20, 300_000), st=some.booleans())
def test_rounding_is_half_up_in_decimal(prev: int, st: bool) -> None:
    rate = Decimal("0.05") if st else Decimal("0.10")
    fen = Decimal("0.01")
    price = Decimal(prev) / 100
    expected = tuple(
        int((price * factor).quantize(fen, rounding=ROUND_HALF_UP) * 100) for factor in (1 + rate, 1 - rate)
    )
    assert one("2018-03-01", MAIN, prev, st) == expected


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="one shape"):
        price_limits(
            np.array([1000, 1000]), np.array([0]), np.array([False]), np.array([5]), np.datetime64("2018-03-01")
        )
