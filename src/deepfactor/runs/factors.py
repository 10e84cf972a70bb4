"""Factor files: date, symbol, score; ours and strangers'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.panel.panel import Panel
from deepfactor.panel.scores import Scores
from deepfactor.store.parquet import read_parquet, write_parquet

COLUMNS = ("date", "symbol", "score")


def write_scores(path: Path, scores: Scores) -> None:
    """Write finite scores as rows date (date32), symbol, score (float64), sorted; atomically."""
    day, stock = np.nonzero(np.isfinite(scores.values))
    frame = pl.DataFrame(
        {
            "date": scores.dates[day].astype("datetime64[D]"),
            "symbol": scores.symbols[stock].astype(str),
            "score": scores.values[day, stock],
        },
        schema={"date": pl.Date, "symbol": pl.String, "score": pl.Float64},
    )
    write_parquet(path, frame)


def read_factor(path: Path, panel: Panel, *, name: str | None = None) -> Scores:
    """Read a factor file (parquet or CSV: date, symbol, score) and align it with a panel.

    Rows of dates or symbols that the market lacks, and rows without a finite score, are dropped and counted.

    Raises
    ------
    DataError
        no such file, not readable, a missing column or wrong type, a duplicate (date, symbol), or nothing in common
        with the market; names file, row (from 1, as read) and column.
    """
    return align(path, read_table(path), panel, name=name or path.stem)


def align(path: Path, frame: pl.DataFrame, panel: Panel, *, name: str) -> Scores:
    """Rows date, symbol, score of the file `path` as `Scores` of a panel; raises as `read_factor`."""
    frame = frame.with_row_index("row", offset=1)
    days = pl.DataFrame({"date": panel.dates.astype("datetime64[D]"), "t": np.arange(len(panel.dates))})
    stocks = pl.DataFrame({"symbol": panel.symbols.astype(str), "i": np.arange(len(panel.symbols))})
    placed = frame.join(days, on="date", how="left").join(stocks, on="symbol", how="left")
    _refuse_duplicates(path, placed, panel.shape)
    finite = placed.filter(pl.col("score").is_finite())
    dated = finite.filter(pl.col("t").is_not_null())
    known = dated.filter(pl.col("i").is_not_null())
    dropped = {
        "no finite score": frame.height - finite.height,
        "date not in market": finite.height - dated.height,
        "symbol not in market": dated.height - known.height,
    }
    if known.is_empty():
        reasons = ", ".join(f"{reason}: {count}" for reason, count in dropped.items() if count)
        raise DataError(
            f"none of its {frame.height} rows has a score for a date and symbol of this market "
            f"({panel.dates[0]} … {panel.dates[-1]}, symbols like {panel.symbols[0]}){reasons and '; ' + reasons}",
            file=path,
        )
    values = np.full(panel.shape, np.nan)
    values[known["t"].to_numpy(), known["i"].to_numpy()] = known["score"].to_numpy()
    return Scores(name, panel.dates, panel.symbols, values, dropped)


def read_table(path: Path, columns: Mapping[str, str] | None = None) -> pl.DataFrame:
    """Columns date, symbol, score of a parquet or CSV file, typed; `columns` renames the file's to these."""
    if not path.is_file():
        raise DataError("no such factor file", file=path)
    form = "CSV" if path.suffix == ".csv" else "parquet"
    try:
        frame = pl.read_csv(path, try_parse_dates=True, glob=False) if form == "CSV" else read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"can't be read as {form}: {error}", file=path) from None
    names = columns or {column: column for column in COLUMNS}
    for column in names:
        if column not in frame.columns:
            raise DataError(f"missing; the file has {', '.join(frame.columns)}", file=path, column=column)
    return _cast(path, frame.select(names.keys()).rename(names))


def _cast(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Columns as Date, String, Float64; the first value that doesn't fit is named."""
    wanted = {"date": pl.Date, "symbol": pl.String, "score": pl.Float64}
    for column, dtype in wanted.items():
        given = frame[column]
        if column == "date" and given.dtype.is_numeric():
            raise DataError(f"{given.dtype}: write dates as dates or as text like 2020-01-02", file=path, column=column)
        text = column == "date" and given.dtype == pl.String
        cast = given.str.to_date(strict=False) if text else given.cast(dtype, strict=False)
        bad = (cast.is_null() & given.is_not_null()) if column == "score" else cast.is_null()
        if bad.any():
            row = int(bad.arg_true()[0])
            raise DataError(f"{given[row]!r} is no {dtype}", file=path, row=row + 1, column=column)
        frame = frame.with_columns(cast)
    return frame


def _refuse_duplicates(path: Path, frame: pl.DataFrame, shape: tuple[int, int]) -> None:
    """`frame`: with the rows `t` and columns `i` of a market of `shape`; null where it has none."""
    inside = frame.filter(pl.col("t").is_not_null() & pl.col("i").is_not_null())
    taken = np.zeros(shape, np.bool_)
    taken[inside["t"].to_numpy(), inside["i"].to_numpy()] = True
    if np.count_nonzero(taken) == inside.height:  # what follows takes long
        frame = frame.filter(pl.col("t").is_null() | pl.col("i").is_null())
    twice = frame.filter(pl.struct("date", "symbol").is_duplicated())
    if not twice.is_empty():
        first = twice.row(0, named=True)
        count = twice.select("date", "symbol").n_unique()
        raise DataError(
            f"{count} (date, symbol) pairs occur more than once, the first is {first['date']} {first['symbol']}: "
            "keep one score a stock and day",
            file=path,
            row=first["row"],
        )
