"""Who is listed: boards, codes, listing spans, and each firm's fixed characteristics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfactor.core.arrays import Dates, Float64, Ints, Symbols
from deepfactor.market.boards import Board
from deepfactor.sources._simulation.calendar import Clock
from deepfactor.sources._simulation.randomness import stream
from deepfactor.sources._simulation.settings import Settings

#: Row of a listing or delisting that lies far outside the simulated days.
LONG_AGO, NEVER = -1000, 10**6

#: Trading days a year, where a rate is said a year.
YEAR = 243

TYPICAL_LOG_CAP = float(np.log(7e9))


#: Share of all firms, ever, by `Board`.
BOARD_SHARE = (0.62, 0.23, 0.10, 0.05)

#: Board → opening day and mean wait of its firms for their listing, in years.
YOUNG_BOARDS = {Board.STAR: ("2019-07-22", 1.3), Board.BEIJING: ("2021-11-15", 0.8)}

#: Six-digit codes: first, number of them, suffix. Main-board firms are on either exchange.
CODES = {
    "main_sh": (600001, 3999, ".SH"),
    "main_sz": (1, 2999, ".SZ"),
    "chinext": (300001, 1999, ".SZ"),
    "star": (688001, 1999, ".SH"),
    "beijing": (830001, 9999, ".BJ"),
}


@dataclass(frozen=True)
class Firms:
    """N firms in the order of their symbols.

    Attributes
    ----------
    symbols : (N,) str
    board : (N,) int64, see `market.boards`
    industry : (N,) int64
    list_row, delist_row : (N,) int64
        listed on rows list_row ≤ d < delist_row; `LONG_AGO` and `NEVER` where outside the simulated days.
    list_date : (N,) datetime64[D]
        for firms listed before the first row a day made up before it; NaT for those not listed yet.
    log_cap, price : (N,) float64
        ln of the first market value in CNY, first price in CNY.
    beta, idiosyncratic, value : (N,) float64
        market beta, daily noise as a fraction, exposure to the value style.
    log_turnover : (N,) float64
        ln of the usual daily turnover, a fraction of float shares.
    float_share : (N,) float64
        float shares / total shares.
    dividend_yield : (N,) float64
        cash a year / price; 0 = pays none.
    """

    symbols: Symbols
    board: Ints
    industry: Ints
    list_row: Ints
    delist_row: Ints
    list_date: Dates
    log_cap: Float64
    price: Float64
    beta: Float64
    idiosyncratic: Float64
    value: Float64
    log_turnover: Float64
    float_share: Float64
    dividend_yield: Float64


def _symbols(rng: np.random.Generator, board: Ints) -> Symbols:
    in_shenzhen = rng.random(len(board)) < 0.45
    place = np.array(["main_sh", "chinext", "star", "beijing"])[board]
    place = np.where((board == Board.MAIN) & in_shenzhen, "main_sz", place)
    symbols = np.empty(len(board), "U9")
    for name, (first, count, suffix) in CODES.items():
        here = np.flatnonzero(place == name)
        numbers = first + rng.choice(count, len(here), replace=False)
        symbols[here] = [f"{number:06d}{suffix}" for number in numbers]
    return symbols


def _listing_rows(rng: np.random.Generator, board: Ints, clock: Clock) -> Ints:
    """Nothing here may depend on the clock's end: waits are exponential from a fixed day."""
    N = len(board)
    wait = rng.standard_exponential(N)
    new = rng.random(N) < 0.14
    rows = np.where(new, clock.start + 1 + (wait * 3.0 * YEAR).astype(np.int64), LONG_AGO)
    for young, (opening, mean_wait) in YOUNG_BOARDS.items():
        first = clock.row(opening)
        if first > 0:
            rows = np.where(board == young, first + (wait * mean_wait * YEAR).astype(np.int64), rows)
    return rows


def _delisting_rows(rng: np.random.Generator, list_row: Ints, clock: Clock) -> Ints:
    """0.4 % a year, not within 250 days of the listing."""
    rows = clock.start + 60 + (rng.standard_exponential(len(list_row)) / 0.004 * YEAR).astype(np.int64)
    return np.where(rows < list_row + 250, NEVER, rows)


def _listing_dates(rng: np.random.Generator, rows: Ints, clock: Clock) -> Dates:
    age = 200 + (rng.standard_exponential(len(rows)) * 8 * 365).astype(np.int64)
    before = np.maximum(clock.days[0] - age, np.datetime64("1991-01-02"))
    before = np.busday_offset(before, 0, roll="forward")
    inside = clock.days[np.clip(rows, 0, clock.stop - 1)]
    dates: Dates = np.where(rows >= clock.stop, np.datetime64("NaT", "D"), np.where(rows < 0, before, inside))
    return dates


def draw_firms(settings: Settings, clock: Clock) -> Firms:
    """All firms of a market; which of them and what they are does not depend on the market's end."""
    rng, N = stream(settings.seed, "firms"), settings.stocks
    board = rng.choice(len(BOARD_SHARE), N, p=BOARD_SHARE)
    symbols = _symbols(rng, board)
    order = np.argsort(symbols)
    board, symbols = board[order], symbols[order]
    list_row = _listing_rows(rng, board, clock)
    delist_row = _delisting_rows(rng, list_row, clock)
    list_date = _listing_dates(rng, list_row, clock)
    log_cap = TYPICAL_LOG_CAP + 1.05 * rng.standard_normal(N) - 0.5 * (board >= Board.STAR)
    size = log_cap - TYPICAL_LOG_CAP
    return Firms(
        symbols=symbols,
        board=board,
        industry=rng.integers(0, settings.industries, N),
        list_row=list_row,
        delist_row=delist_row,
        list_date=list_date,
        log_cap=log_cap,
        price=np.exp(np.log(12) + 0.6 * rng.standard_normal(N)),
        beta=1 + 0.20 * rng.standard_normal(N),
        idiosyncratic=settings.volatility.idiosyncratic * np.exp(0.28 * rng.standard_normal(N) - 0.06 * size),
        value=rng.standard_normal(N),
        log_turnover=np.log(0.013) + 0.45 * rng.standard_normal(N) - 0.25 * size,
        float_share=rng.uniform(0.4, 1.0, N),
        dividend_yield=np.where(rng.random(N) < 0.65, rng.uniform(0.005, 0.03, N), 0.0),
    )
