"""A handmade market of twelve stocks as a vendor's files: raw bars, weights, industries, a mapping; to be spoiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

CODES = (
    *("600001.SH", "600002.SH", "600003.SH", "600004.SH", "600005.SH", "600006.SH"),
    *("000011.SZ", "000012.SZ", "000013.SZ", "002014.SZ", "300015.SZ", "688016.SH"),
)
INDEX = "000905.SH"
START = date(2020, 1, 2)
COLUMNS = ("date", "symbol", "open", "high", "low", "close", "volume", "amount", "adj_factor", "float_mv", "is_st")
DAILY = """name = "mine"
[tables.daily]
file = "bars.parquet"
[tables.daily.columns]
""" + "".join(f'{column} = "{column}"\n' for column in COLUMNS)
MEMBERSHIP = """
[tables.index_weights]
file = "weights.csv"
columns = { index = "index", date = "date", symbol = "symbol", weight = "weight" }
[tables.industry]
file = "industry.csv"
columns = { symbol = "symbol", industry = "industry", start_date = "since", end_date = "until" }
"""


def weekdays(n: int, start: date = START) -> list[date]:
    """The first `n` weekdays from `start` on."""
    days = (start + timedelta(days=i) for i in range(2 * n + 7))
    return [day for day in days if day.weekday() < 5][:n]


def bars(codes: Sequence[str] = CODES, n: int = 120, seed: int = 0, start: date = START) -> pl.DataFrame:
    """Raw bars in CNY and shares, closes in whole fen, moves well within limits; sorted by symbol and date."""
    rng = np.random.default_rng(seed)
    days, rows = weekdays(n, start), []
    market = rng.normal(0, 0.006, n)
    for k, code in enumerate(codes):
        price = 8 + 3 * k + rng.random() * 4
        for t, day in enumerate(days):
            before = price
            price = round(before * np.exp(np.clip(market[t] + rng.normal(0, 0.015), -0.08, 0.08)), 2)
            opened = round(before * (1 + rng.normal(0, 0.003)), 2)
            high = round(max(opened, price) * (1 + abs(rng.normal(0, 0.004))), 2)
            low = round(min(opened, price) * (1 - abs(rng.normal(0, 0.004))), 2)
            volume = float(int(rng.lognormal(13, 0.5)))
            amount = round(volume * (opened + high + low + 2 * price) / 5, 2)
            value = round(price * 1e8 * (1 + k % 4), 2)
            rows.append((day, code, opened, high, low, price, volume, amount, 1.0, value, False))
    return pl.DataFrame(rows, schema=list(COLUMNS), orient="row")


def write(folder: Path, frame: pl.DataFrame, mapping: str = DAILY) -> Path:
    """`frame` as ``bars.parquet`` and the mapping beside it; returns the mapping's path."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "bars.parquet")
    (folder / "mapping.toml").write_text(mapping, encoding="utf-8")
    return folder / "mapping.toml"


def write_membership(
    folder: Path, days: Sequence[date], weights: Mapping[str, float] | None = None, every: int = 21
) -> None:
    """``weights.csv`` of `INDEX`, published every `every` days (None = equal), and ``industry.csv``."""
    weights = weights or dict.fromkeys(CODES, 1 / len(CODES))
    lines = [f"{INDEX},{day},{code},{weight:.6f}" for day in days[::every] for code, weight in weights.items()]
    (folder / "weights.csv").write_text("\n".join(["index,date,symbol,weight", *lines]) + "\n")
    lines = [f"{code},I{k % 3},2010-01-01," for k, code in enumerate(CODES)]
    (folder / "industry.csv").write_text("\n".join(["symbol,industry,since,until", *lines]) + "\n")
