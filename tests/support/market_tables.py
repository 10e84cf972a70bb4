"""A small random market as tables, with what goes wrong in real ones; and the same market as it was on a day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

BY_MEMBERS, BY_WEIGHTS = "000905.SH", "000300.SH"
SYMBOLS = (
    *(f"{600000 + i}.SH" for i in range(5)),
    *(f"{2 + i:06d}.SZ" for i in range(4)),
    *(f"{300010 + i}.SZ" for i in range(3)),
    *(f"{688000 + i}.SH" for i in range(2)),
)
DELISTED, LATE, UNDATED, SUSPENDED = SYMBOLS[1], SYMBOLS[9], SYMBOLS[5], SYMBOLS[2]


def trading_days(count: int, start: str = "2020-07-20") -> list[date]:
    days = np.arange(np.datetime64(start), np.datetime64(start) + 2 * count)
    return days[np.is_busday(days)][:count].tolist()


def market_tables(seed: int = 0, days: int = 60) -> dict[str, pl.DataFrame]:
    """All tables of a market of 14 stocks over the change of ChiNext's limits on 2020-08-24.

    `DELISTED` leaves in the middle, `LATE` lists in the middle, `UNDATED` has no list date and a first row after the
    first day, `SUSPENDED` has no rows for twelve days, with a split inside and its end near. Other rows are missing at
    random, or there with no volume. Splits, dividends, ST spells; members by intervals and by monthly weights.
    """
    rng = np.random.default_rng(seed)
    dates = trading_days(days + 40)
    ahead, dates = dates, dates[:days]
    return {
        "daily": _daily(rng, dates),
        "securities": _securities(dates),
        "industry": _industry(rng, dates),
        "index_members": _index_members(rng, dates),
        "index_weights": _index_weights(rng, dates),
        "index_daily": _index_daily(rng, dates),
        "calendar": pl.DataFrame({"date": ahead}),
    }


def until(tables: dict[str, pl.DataFrame], day: date) -> dict[str, pl.DataFrame]:
    """The tables as they were at the close of `day`; the calendar is published ahead and stays."""
    out = {name: tables[name].filter(pl.col("date") <= day) for name in ("daily", "index_weights", "index_daily")}
    securities = tables["securities"].filter(pl.col("list_date").is_null() | (pl.col("list_date") <= day))
    out["securities"] = _unknown_after(securities, "delist_date", day)
    for name in ("industry", "index_members"):
        out[name] = _unknown_after(tables[name].filter(pl.col("start_date") <= day), "end_date", day)
    if "fundamentals" in tables:  # of symbols without prices from the first, of the others with their prices
        listed, ever = (set(frame["symbol"]) for frame in (out["daily"], tables["daily"]))
        there = ~pl.col("symbol").is_in(list(ever - listed))
        out["fundamentals"] = tables["fundamentals"].filter(there & (pl.col("known_at") <= day))
    return {**{name: frame for name, frame in out.items() if frame.height}, "calendar": tables["calendar"]}


def filings(seed: int = 0) -> pl.DataFrame:
    """Table `fundamentals`: late, restated and withdrawn reports of the market's stocks and of one without prices."""
    rng = np.random.default_rng(seed)
    rows = []
    for symbol in (*SYMBOLS, "600999.SH"):
        for quarter, end in enumerate([date(2019, 12, 31), date(2020, 3, 31), date(2020, 6, 30)]):
            known = end + timedelta(days=int(rng.integers(25, 95)))
            for again in range(1 + (quarter == 1)):
                value = None if rng.random() < 0.1 else float(rng.normal())
                rows.append((symbol, known + timedelta(days=20 * again), "net_profit_ttm", value, end))
    shares = [(symbol, date(2020, 7, 1), "total_shares", 1e8, None) for symbol in SYMBOLS]
    schema = {"symbol": pl.String, "known_at": pl.Date, "item": pl.String, "value": pl.Float64, "period_end": pl.Date}
    return pl.DataFrame(rows + shares, schema=schema, orient="row").sort("symbol", "item", "known_at")


def _unknown_after(frame: pl.DataFrame, column: str, day: date) -> pl.DataFrame:
    return frame.with_columns(pl.when(pl.col(column) <= day).then(column))


def _daily(rng: np.random.Generator, dates: list[date]) -> pl.DataFrame:
    frames = []
    for i, symbol in enumerate(SYMBOLS):
        first, last = _span(symbol, len(dates))
        n = len(dates)
        factor = np.cumprod(np.where(rng.random(n) < 0.03, rng.choice([2.0, 1.013]), 1.0)) * rng.uniform(0.5, 3)
        value = 20 * np.exp(np.cumsum(0.02 * rng.standard_normal(n)))
        close = np.round(value / factor * factor[0], 2)
        move = np.abs(rng.standard_normal((4, n))) * 0.01
        open_ = np.round(close * (1 + move[0] - move[1]), 2)
        high = np.round(np.maximum(open_, close) * (1 + move[2]), 2)
        low = np.round(np.minimum(open_, close) * (1 - move[3]), 2)
        volume = np.round(np.exp(11 + rng.standard_normal(n))) * 100
        empty = rng.random(n) < 0.04  # a row of a day without a trade
        volume[empty] = 0
        keep = (np.arange(n) >= first) & (np.arange(n) < last) & (rng.random(n) > 0.05)
        keep[first] = True
        if symbol == SUSPENDED:
            keep[20:32] = False
        mark = np.repeat(rng.random(n // 10 + 1) < 0.3, 10)[:n]
        frame = pl.DataFrame(
            {
                "date": dates,
                "symbol": [symbol] * n,
                "open": open_,
                "high": high,
                "low": low,
                "close": close,
                "volume": volume,
                "amount": np.round(volume * (high + low) / 2, 2),
                "adj_factor": factor,
                "float_mv": close * np.round(1e8 * (1 + i) * factor),
                "is_st": [None if rng.random() < 0.1 else bool(m) for m in mark],
                "is_suspended": empty,
            }
        )
        frames.append(frame.filter(pl.Series(keep)))
    return pl.concat(frames)


def _span(symbol: str, days: int) -> tuple[int, int]:
    """First row of `symbol` and the row after its last."""
    return {DELISTED: (0, days // 2), LATE: (days // 3, days), UNDATED: (4, days)}.get(symbol, (0, days))


def _securities(dates: list[date]) -> pl.DataFrame:
    listing: list[date | None] = [date(2001, 1, 1)] * len(SYMBOLS)
    leaving: list[date | None] = [None] * len(SYMBOLS)
    listing[SYMBOLS.index(LATE)] = dates[len(dates) // 3]
    listing[SYMBOLS.index(UNDATED)] = None
    leaving[SYMBOLS.index(DELISTED)] = dates[len(dates) // 2 + 4]
    columns = {"symbol": SYMBOLS, "list_date": listing, "delist_date": leaving}
    return pl.DataFrame(columns, schema_overrides={"list_date": pl.Date, "delist_date": pl.Date})


def _industry(rng: np.random.Generator, dates: list[date]) -> pl.DataFrame:
    rows = []
    for i, symbol in enumerate(SYMBOLS):
        change = dates[int(rng.integers(5, len(dates)))]
        rows.append((symbol, f"industry {i % 3}", date(2001, 1, 1), change if i % 4 == 0 else None))
        if i % 2:
            rows.append((symbol, f"industry {i % 3 + 1}", change, None))
    return pl.DataFrame(rows, schema=["symbol", "industry", "start_date", "end_date"], orient="row")


def _index_members(rng: np.random.Generator, dates: list[date]) -> pl.DataFrame:
    rows = [(BY_MEMBERS, "600999.SH", dates[0], None)]  # no prices
    for i, symbol in enumerate(SYMBOLS):
        start, end = sorted(rng.choice(len(dates), 2, replace=False))
        rows.append((BY_MEMBERS, symbol, dates[start], dates[end] if i % 2 else None))
    return pl.DataFrame(rows, schema=["index", "symbol", "start_date", "end_date"], orient="row")


def _index_weights(rng: np.random.Generator, dates: list[date]) -> pl.DataFrame:
    rows = []
    for day in dates[6::20]:
        held = rng.choice(len(SYMBOLS), 8, replace=False)
        weights = rng.dirichlet(np.ones(8))
        rows += [(BY_WEIGHTS, day, SYMBOLS[i], w) for i, w in zip(held, weights, strict=True)]
    return pl.DataFrame(rows, schema=["index", "date", "symbol", "weight"], orient="row")


def _index_daily(rng: np.random.Generator, dates: list[date]) -> pl.DataFrame:
    n = len(dates)
    level = 4000 * np.exp(np.cumsum(0.01 * rng.standard_normal((2, n)), axis=1))
    return pl.DataFrame(
        {
            "index": [BY_WEIGHTS] * n + [BY_MEMBERS] * (n - 3),
            "date": [*dates, *dates[3:]],
            "close": np.r_[level[0], level[1, 3:]],
            "total_return_close": [*(level[0] * 1.2), *[None] * (n - 3)],
        }
    )
