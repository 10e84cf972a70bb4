"""Step tables carried forward onto daily rows: at each row the last step that was known by then."""

from __future__ import annotations

import polars as pl

from deepfactor.sources._files import Extract, as_dates, as_number, scaled
from deepfactor.sources._mapping_parts import Steps


def steps_of(extract: Extract, steps: Steps, symbols: pl.Series) -> pl.DataFrame:
    """Columns symbol (text), date, value of a step table, by date; `symbols` are our codes of its rows."""
    if extract.frame.is_empty():
        raise extract.fault(f"no rows where {dict(steps.where)}" if steps.where else "no rows")
    value = extract[steps.value] if isinstance(steps.equals, str) else as_number(extract, steps.value)
    out = pl.DataFrame(
        {
            "symbol": symbols.cast(pl.String),
            "date": as_dates(extract, steps.date, steps.date_format),
            "value": scaled(value, steps.multiply, steps.divide),
        }
    )
    if steps.symbols is not None:
        out = out.filter(pl.col("symbol").str.contains(steps.symbols))
    twice = out.filter(out.select("symbol", "date").is_duplicated())
    if twice.height:
        raise extract.fault(f"two steps of {twice['symbol'][0]} on {twice['date'][0]}", steps.date)
    return out.sort("date")


def usable_from(steps: pl.DataFrame, trading_days: pl.Series, lag_days: int) -> pl.DataFrame:
    """Steps with `date` replaced by the first trading day at whose close the value may be used.

    lag 0: the step's date, or the next trading day; lag k: the k-th trading day after the date. Of several steps that
    become usable on one day the latest stands. Steps that become usable after the last trading day are left out.
    """
    row = trading_days.search_sorted(steps["date"], side="right" if lag_days else "left") + max(lag_days - 1, 0)
    inside = steps.with_columns(row=row).filter(pl.col("row") < len(trading_days))
    usable = inside.with_columns(date=trading_days.gather(inside["row"])).drop("row")
    return usable.unique(["symbol", "date"], keep="last", maintain_order=True)


def step_values(daily: pl.DataFrame, steps: Steps, table: pl.DataFrame, trading_days: pl.Series) -> pl.Series:
    """The value in force on each row of `daily` (columns symbol as Enum, date); null before the first step.

    `daily` is sorted by symbol and date, as is the result's order.
    """
    symbols = daily.schema["symbol"]
    known = usable_from(table, trading_days, steps.lag_days)
    known = known.with_columns(pl.col("symbol").cast(symbols, strict=False)).drop_nulls("symbol").sort("symbol", "date")
    rows = daily.select("symbol", "date").join_asof(known, on="date", by="symbol", check_sortedness=False)
    value = rows["value"]
    if steps.equals is not None:
        value = value == steps.equals
    if steps.times is not None:
        value = value * daily[steps.times]
    inside = pl.lit(True)
    if steps.start is not None:
        inside = inside & (pl.col("date") >= steps.start)
    if steps.end is not None:
        inside = inside & (pl.col("date") <= steps.end)
    return daily.select(pl.when(inside).then(pl.lit(value))).to_series().alias(steps.into)
