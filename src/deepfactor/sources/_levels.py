"""Jumps of a factor's level that a mapping declares: taken out, whatever part of the rows is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from deepfactor.core.words import Sentence
from deepfactor.sources._codes import Codes
from deepfactor.sources._convert import convert
from deepfactor.sources._extract import Extract
from deepfactor.sources._mapping import TableMapping
from deepfactor.sources._reader import Reader

_MENDED = Sentence(
    "daily.{column} of {symbol}: the jump of its level on {day} taken out, {n} rows",
    "{symbol}的{column}：已剔除{day}的水平跳变，共{n}行",
)


def mend_levels(
    spec: TableMapping, frame: pl.DataFrame, reader: Reader, codes: Codes, vendors: Mapping[str, Sequence[str]]
) -> tuple[pl.DataFrame, list[str]]:
    """Prices with declared jumps taken out, and notes: from the day on, times last value before ÷ value of the day.

    `vendors`: our code = theirs.
    """
    theirs = list(dict.fromkeys(code for c in spec.level_changes for code in vendors.get(c.symbol, ())))
    if not theirs:
        return frame, []
    columns = [spec.columns[name].source for name in ("symbol", "date", "adj_factor")]
    extract = reader.read(spec, columns, spec.where, "daily", {columns[0]: theirs})
    factors, notes = _factors(spec, extract, codes), []
    for change in spec.level_changes:
        own = factors.filter(pl.col("symbol") == change.symbol)
        before, rest = own.filter(pl.col("date") < change.date), own.filter(pl.col("date") >= change.date)
        if before.is_empty() or rest.is_empty():
            continue
        if rest["date"][0] != change.date:
            message = f"the mapping says that {change.symbol} changes its level on {change.date}, the file has no such"
            raise extract.fault(f"{message} row: mend level_changes", change.column)
        mended = pl.col(change.column) * (before[change.column][-1] / rest[change.column][0])
        later = (pl.col("symbol").cast(pl.String) == change.symbol) & (pl.col("date") >= change.date)
        frame = frame.with_columns(pl.when(later).then(mended).otherwise(pl.col(change.column)))
        places = {"column": change.column, "symbol": change.symbol, "day": change.date}
        notes.append(_MENDED.format(n=rest.height, **places))
    return frame, notes


def _factors(spec: TableMapping, extract: Extract, codes: Codes) -> pl.DataFrame:
    """Symbol, date and factor of the vendor's rows in our types, by symbol and date."""
    day, factor, symbol = (spec.columns[name] for name in ("date", "adj_factor", "symbol"))
    made = [codes.read(extract, {"symbol": symbol.source}).codes["symbol"].cast(pl.String).alias("symbol")]
    made.append(convert(extract, day, "date", "daily", spec.date_format))
    made.append(convert(extract, factor, "adj_factor", "daily", spec.date_format))
    return pl.DataFrame(made).sort("symbol", "date")
