"""Step tables carried forward onto daily rows: at each row the last step that was known by then."""

from __future__ import annotations

import polars as pl

from deepfactor.sources._codes import Read
from deepfactor.sources._convert import as_dates, as_number, scaled
from deepfactor.sources._extract import Extract
from deepfactor.sources._mapping_parts import Steps
from deepfactor.sources._marks import matches
from deepfactor.store.stitching import until_newer


def steps_of(extract: Extract, steps: Steps, read: Read) -> pl.DataFrame:
    """Columns symbol (text), date, value of a step table, by date; `read`: the codes of its rows."""
    if extract.frame.is_empty():
        raise extract.fault(f"no rows where {dict(steps.where)}" if steps.where else "no rows")
    out = pl.DataFrame(
        {
            "symbol": read.codes["symbol"].cast(pl.String),
            "date": as_dates(extract, steps.date, steps.date_format),
            "value": _values(extract, steps),
            **read.ages(),
        }
    ).with_row_index("row")
    if steps.symbols is not None:
        out = out.filter(pl.col("symbol").str.contains(steps.symbols))
    return once(extract, out, steps.date).sort("date")


def _values(extract: Extract, steps: Steps) -> pl.Series:
    """The value of each step, or the flag that is made of it."""
    if steps.matching is not None:
        return matches(extract[steps.value], steps.matching)
    if isinstance(steps.equals, str):
        return extract[steps.value].cast(pl.String) == steps.equals
    value = scaled(as_number(extract, steps.value), steps.multiply, steps.divide)
    return value if steps.equals is None else value == steps.equals


def once(extract: Extract, steps: pl.DataFrame, column: str) -> pl.DataFrame:
    """Steps (row, symbol, date, value) that are equal count once; a `DataError` for two of one day that aren't.

    Nor may a step be without a date. `column`: of the date, for the error. With ``age`` (see `Read`) steps of an old
    code hold until the newer one's first.
    """
    undated = steps.filter(pl.col("date").is_null())
    if undated.height:
        raise extract.fault(f"there is no date of this step of {undated['symbol'][0]}", column, undated["row"][0])
    if "age" in steps.columns:
        steps = until_newer(steps, ["symbol"], "date").drop("age")
    if steps.select("symbol", "date").is_duplicated().any():
        steps = steps.unique(["symbol", "date", "value"], keep="first", maintain_order=True)
        first = steps.unique(["symbol", "date"], keep="first", maintain_order=True)
        contrary = steps.join(first, on="row", how="anti", maintain_order="left")
        if contrary.height:
            row, symbol, day, value = contrary.row(0)
            other = first.row(by_predicate=(pl.col("symbol") == symbol) & (pl.col("date") == day))[-1]
            message = f"two steps of {symbol} on {day} contradict each other: {other} and {value}"
            raise extract.fault(message, column, row)
    return steps.drop("row")


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
    """The value in force on each row of `daily` (columns symbol as Enum, date); before the first step `before_first`.

    `daily` is sorted by symbol and date, as is the result's order.
    """
    symbols = daily.schema["symbol"]
    known = usable_from(table, trading_days, steps.lag_days)
    known = known.with_columns(pl.col("symbol").cast(symbols, strict=False), begun=True).drop_nulls("symbol")
    known = known.sort("symbol", "date")
    rows = daily.select("symbol", "date").join_asof(known, on="date", by="symbol", check_sortedness=False)
    value = rows["value"]
    if steps.before_first is not None:
        value = value.zip_with(rows["begun"].is_not_null(), pl.repeat(steps.before_first, len(value), eager=True))
    if steps.times is not None:
        value = value * daily[steps.times]
    inside = pl.lit(True)
    if steps.start is not None:
        inside = inside & (pl.col("date") >= steps.start)
    if steps.end is not None:
        inside = inside & (pl.col("date") <= steps.end)
    return daily.select(pl.when(inside).then(pl.lit(value))).to_series().alias(steps.into)
