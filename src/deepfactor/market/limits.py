"""Daily price limits by date, board, special treatment and age, in integer fen (0.01 CNY).

The rules are data: `REGULAR` says how far a price may move from its reference on an ordinary day, `LISTING` what holds
on the first days after listing. The limit price is ``reference × (1 ± rate)`` rounded half up to 0.01 (SSE trading
rules 3.3.15, SZSE 3.3.17 of the 2023 editions), at least one tick away from the reference and never below one tick.

What these rules don't know: the unlimited first day after a share reform or a resumption of listing, and the delisting
period's ±10 % of an ST stock (its flag usually ends before). Market-wide halts are the index circuit breaker's of
2016-01-04 (from 13:34) and 2016-01-07 (from 9:59): the days have prices, so they are trading days here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Bools, Dates, Float64, Int16, Int32, Integers
from deepfactor.core.errors import DataError
from deepfactor.market.boards import Board

#: Pass as `listing_day` where the listing date isn't known: the stock counts as long listed, the ordinary limit holds.
LONG_LISTED = 10_000


@dataclass(frozen=True)
class RegularLimit:
    """Per-mille move allowed on an ordinary day, from `since` until the next row of the same board and flag."""

    board: Board
    st: bool
    since: str
    rate: int
    source: str


@dataclass(frozen=True)
class ListingLimit:
    """What holds on the first `days` trading days of a stock listed on `board` from `since` on.

    `up`, `down` are per mille of the issue price; None = no limit.
    """

    board: Board
    since: str
    days: int
    up: int | None
    down: int | None
    source: str


_T_1996 = "SSE/SZSE, limits of 10 % from 1996-12-16"
_T_ST = "SSE/SZSE listing rules 1998, special treatment 5 %"
_T_2020 = "SZSE ChiNext special trading rules 2020-06-12, in force 2020-08-24"
_T_STAR = "SSE STAR special trading rules 2019-03-01, first trading day 2019-07-22"
_T_BSE = "BSE trading rules (trial) 2021-11-02, in force 2021-11-15"
_T_2026 = "SSE/SZSE trading rules 2026, main-board ST 10 % from 2026-07-06"

REGULAR: tuple[RegularLimit, ...] = (
    RegularLimit(Board.MAIN, False, "1996-12-16", 100, _T_1996),
    RegularLimit(Board.MAIN, True, "1998-04-22", 50, _T_ST),
    RegularLimit(Board.MAIN, True, "2026-07-06", 100, _T_2026),
    RegularLimit(Board.CHINEXT, False, "2009-10-30", 100, "SZSE ChiNext, first trading day 2009-10-30"),
    RegularLimit(Board.CHINEXT, True, "2009-10-30", 50, _T_ST),
    RegularLimit(Board.CHINEXT, False, "2020-08-24", 200, _T_2020),
    RegularLimit(Board.CHINEXT, True, "2020-08-24", 200, _T_2020),
    RegularLimit(Board.STAR, False, "2019-07-22", 200, _T_STAR),
    RegularLimit(Board.STAR, True, "2019-07-22", 200, _T_STAR),
    RegularLimit(Board.BEIJING, False, "2021-11-15", 300, _T_BSE),
    RegularLimit(Board.BEIJING, True, "2021-11-15", 300, _T_BSE),
)

_T_2014 = "SSE and SZSE notices on first-day trading of IPOs, 2014-06-13: +44 % / −36 % of the issue price"
_T_2023 = "SSE/SZSE trading rules 2023-02-17, first main-board listings under them 2023-04-10"

LISTING: tuple[ListingLimit, ...] = (
    ListingLimit(Board.MAIN, "1996-12-16", 1, None, None, _T_1996),
    ListingLimit(Board.MAIN, "2014-06-13", 1, 440, 360, _T_2014),
    ListingLimit(Board.MAIN, "2023-04-10", 5, None, None, _T_2023),
    ListingLimit(Board.CHINEXT, "2009-10-30", 1, None, None, "SZSE trading rules 2006, 3.3.14"),
    ListingLimit(Board.CHINEXT, "2014-06-13", 1, 440, 360, _T_2014),
    ListingLimit(Board.CHINEXT, "2020-08-24", 5, None, None, _T_2020),
    ListingLimit(Board.STAR, "2019-07-22", 5, None, None, _T_STAR),
    ListingLimit(Board.BEIJING, "2021-11-15", 1, None, None, _T_BSE),
)

_LONGEST = max(rule.days for rule in LISTING)


def price_limits(
    prev_close_fen: Integers,
    boards: Integers,
    st: Bools,
    listing_day: Integers,
    dates: Dates | np.datetime64,
) -> tuple[Int32, Int32]:
    """Upper and lower limit price of each stock and day, in fen.

    Parameters
    ----------
    prev_close_fen : (T, N) or (N,) integer
        the day's unadjusted reference price in fen (the issue price on the first day); ≤ 0 = not known.
    boards : (N,) of `Board`
    st : (T, N) or (N,) bool
        special treatment on the day.
    listing_day : (T, N) or (N,) integer
        trading days since listing, 0 on the first; negative = not listed yet; `LONG_LISTED` where not known.
    dates : (T,) datetime64[D], or one date for (N,) input

    Returns
    -------
    up, down : int32, shaped as `prev_close_fen`
        0 = no limit that day, or not known (no reference price, not listed, before the board's first rule).

    Raises
    ------
    DataError
        shapes that don't fit together.
    """
    reference = np.atleast_2d(np.asarray(prev_close_fen))
    day = np.atleast_1d(np.asarray(dates, dtype="datetime64[D]"))
    flag, age = np.atleast_2d(np.asarray(st, dtype=bool)), np.atleast_2d(np.asarray(listing_day))
    shape = (len(day), len(boards))
    if not reference.shape == flag.shape == age.shape == shape:
        raise DataError(
            f"price limits want arrays of one shape (days, stocks) = {shape}: given prev_close {reference.shape}, "
            f"st {flag.shape}, listing_day {age.shape}"
        )
    rate = _regular_rates(day)[np.arange(len(day))[:, None], boards[None, :], flag.astype(np.int8)]
    known = (reference > 0) & (age >= 0)
    up, down = _limit_prices(np.where(known & (rate > 0), reference, 0), rate, rate)
    _apply_listing_rules(up, down, np.where(known, reference, 0), boards, age, day)
    out = np.shape(prev_close_fen)
    return up.reshape(out), down.reshape(out)


def _limit_prices(reference: Integers, up: Integers, down: Integers) -> tuple[Int32, Int32]:
    """Rounded limit prices in fen from reference prices and per-mille rates; 0 where the reference is 0."""
    fen = reference.astype(np.int64)
    high = np.maximum((fen * (1000 + up) + 500) // 1000, fen + 1)
    low = np.maximum(np.minimum((fen * (1000 - down) + 500) // 1000, fen - 1), 1)
    return np.where(fen > 0, high, 0).astype(np.int32), np.where(fen > 0, low, 0).astype(np.int32)


def _regular_rates(dates: Dates) -> Int16:
    """Ordinary per-mille rate by day, board and ST flag, (T, 4, 2); 0 = no rule yet."""
    table = np.zeros((len(dates), len(Board), 2), dtype=np.int16)
    for rule in REGULAR:
        table[dates >= np.datetime64(rule.since), rule.board, int(rule.st)] = rule.rate
    return table


def ordinary_rates(boards: Integers, dates: Dates) -> Float64:
    """How far stocks without a mark may move on ordinary days, as a fraction (n,); 0 = no limit, or before any rule.

    `boards` (n,) of `Board` and `dates` (n,): one stock and day each.
    """
    days, at = np.unique(np.asarray(dates, dtype="datetime64[D]"), return_inverse=True)
    rates: Float64 = _regular_rates(days)[at, boards, 0] / 1000
    return rates


def _apply_listing_rules(
    up: Int32,
    down: Int32,
    reference: Integers,
    boards: Integers,
    age: Integers,
    dates: Dates,
) -> None:
    """Overwrite `up`, `down` in place on the first days after listing."""
    t, i = np.nonzero((age >= 0) & (age < _LONGEST))
    since_listing = age[t, i]
    # A rule binds the stocks listed under it, so the listing date decides. Counting back by weekdays is exact where it
    # matters: each rule began on a Monday or its window is one day, and its first week had no holiday.
    listed = np.busday_offset(dates[t], -since_listing, roll="backward")
    days = np.zeros(len(t), dtype=np.int64)
    rates = np.zeros((2, len(t)), dtype=np.int64)
    for rule in LISTING:
        under = (boards[i] == rule.board) & (listed >= np.datetime64(rule.since))
        days[under] = rule.days
        rates[:, under] = [[-1 if rule.up is None else rule.up], [-1 if rule.down is None else rule.down]]
    young = since_listing < days
    t, i, rates = t[young], i[young], rates[:, young]
    limited = rates[0] >= 0
    high, low = _limit_prices(np.where(limited, reference[t, i], 0), rates[0], rates[1])
    up[t, i], down[t, i] = high, low
