"""A market with one index of known members and inclusion factors: what its provider does, and what a vendor gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from support.market_tables import trading_days

INDEX = "000300.SH"


@dataclass(frozen=True)
class IndexMarket:
    """Tables as a vendor gives them, and the truth behind: weights (T, N) at each close, inclusion factors (N,)."""

    tables: dict[str, pl.DataFrame]
    symbols: list[str]
    dates: list[date]
    factors: np.ndarray
    weights: np.ndarray


def index_market(
    days: int = 330, stocks: int = 24, members: int = 20, seed: int = 0, state: float = 0.1
) -> IndexMarket:
    """Float shares that count what the state holds: of the largest two stocks `state` is in the index, of others half.

    The price index falls with cash dividends and is adjusted for issues of shares, as are raw prices; the vendor's
    factor has both. One member is replaced after two thirds of the days; a twentieth of rows is missing.
    """
    rng = np.random.default_rng(seed)
    dates = trading_days(days, "2018-01-02")
    symbols = [f"{600000 + i}.SH" for i in range(stocks)]
    moves = 0.008 * rng.standard_normal((days, 1)) + 0.018 * rng.standard_normal((days, stocks))
    traded = rng.random((days, stocks)) > 0.05
    traded[0] = True
    moves[0] = 0.0
    moves[~traded] = 0.0
    dividend = np.where(traded & (rng.random((days, stocks)) < 0.004), 0.03, 0.0)
    issue = np.where(traded & (rng.random((days, stocks)) < 0.002), 1.5, 1.0)
    # Close of a day = reference × (1 + move), reference = (close before − dividend) / issue.
    close = np.empty((days, stocks))
    close[0] = 20 + 10 * rng.random(stocks)
    factor = np.cumprod(issue / (1 - dividend), axis=0)
    for t in range(1, days):
        close[t] = np.round(close[t - 1] * (1 - dividend[t]) / issue[t] * (1 + moves[t]), 2)
    shares = 1e8 * np.exp(0.5 * rng.standard_normal(stocks)) * np.cumprod(issue, axis=0)
    shares[:, :2] *= 12
    inclusion = np.full(stocks, 0.5)
    inclusion[:2] = state
    member = np.zeros((days, stocks), dtype=bool)
    turn = 2 * days // 3
    member[:, :members] = True
    member[turn:, members - 1], member[turn:, members] = False, True
    value = np.where(member, close * shares * inclusion, 0.0)
    weights = value / value.sum(axis=1, keepdims=True)
    price = close[1:] * issue[1:] / close[:-1] - 1
    level = 3000 * np.concatenate([[1.0], np.cumprod(1 + (weights[:-1] * price).sum(axis=1))])
    t, n = (axis.ravel() for axis in np.nonzero(traded.T)[::-1])
    low, high = np.round(close * 0.99, 2), np.round(close * 1.01, 2)
    volume = np.full((days, stocks), 2e6)
    daily = {"open": close, "high": high, "low": low, "close": close, "volume": volume, "amount": close * volume,
             "adj_factor": factor, "float_mv": close * shares}  # fmt: skip
    rows = [(INDEX, symbols[i], dates[0], None) for i in range(members - 1)]
    rows += [(INDEX, symbols[members - 1], dates[0], dates[turn - 1]), (INDEX, symbols[members], dates[turn], None)]
    tables = {
        "daily": pl.DataFrame({"date": [dates[i] for i in t], "symbol": [symbols[i] for i in n]}).with_columns(
            **{name: pl.Series(values[t, n]) for name, values in daily.items()}
        ),
        "index_members": pl.DataFrame(rows, schema=["index", "symbol", "start_date", "end_date"], orient="row"),
        "index_daily": pl.DataFrame({"index": [INDEX] * days, "date": dates, "close": np.round(level, 3)}),
        "calendar": pl.DataFrame({"date": dates}),
    }
    return IndexMarket(tables, symbols, dates, inclusion, weights)
