"""Ex-dates in handmade bars, and the same bars as a vendor adjusts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

PRICES = ("open", "high", "low", "close")


def with_ex_dates(frame: pl.DataFrame, rows: Mapping[str, Sequence[int]], ratio: float = 2.0) -> pl.DataFrame:
    """Bars whose stocks go ex on the days of these numbers: prices ÷ `ratio`, volumes and the factor × `ratio`."""
    days = frame["date"].unique().sort()
    for symbol, numbers in rows.items():
        for number in numbers:
            after = (pl.col("symbol") == symbol) & (pl.col("date") >= days[number])
            frame = frame.with_columns(
                *(pl.when(after).then((pl.col(name) / ratio).round(2)).otherwise(name).alias(name) for name in PRICES),
                *(
                    pl.when(after).then(pl.col(name) * ratio).otherwise(name).alias(name)
                    for name in ("volume", "adj_factor")
                ),
            )
    return _in_range(frame).with_columns(amount=(pl.col("volume") * (pl.col("high") + pl.col("low")) / 2).round(2))


def adjusted(frame: pl.DataFrame, digits: int = 4) -> pl.DataFrame:
    """Forward-adjusted prices beside raw volumes and amounts, without a factor."""
    scale = pl.col("adj_factor") / pl.col("adj_factor").last().over("symbol")
    return _in_range(frame.with_columns((pl.col(name) * scale).round(digits) for name in PRICES)).drop("adj_factor")


def _in_range(frame: pl.DataFrame) -> pl.DataFrame:
    """Rounding doesn't put open or close outside of the day."""
    ends = ("open", "close")
    return frame.with_columns(low=pl.min_horizontal("low", *ends), high=pl.max_horizontal("high", *ends))
