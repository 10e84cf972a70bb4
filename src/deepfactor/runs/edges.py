"""Who was related to whom: the graph that an arm read, as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from deepfactor.core.arrays import Symbols
from deepfactor.inputs.relations import Relations
from deepfactor.store.parquet import write_parquet

_SCHEMA = {"date": pl.Date, "symbol": pl.String, "neighbour": pl.String, "similarity": pl.Float32}


def write_edges(path: Path, graph: Relations, symbols: Symbols, days: range) -> None:
    """Write the graphs in force on `days` as rows date (the month's end that it is of), symbol, neighbour, similarity,
    sorted by date and symbol; without a stock's edge to itself; atomically."""
    tables = [pl.DataFrame(schema=_SCHEMA)]
    months = graph.month[days.start : days.stop]
    for month in np.unique(months[months >= 0]).tolist():
        stock, other, similarity = graph.pairs(month)
        columns = {"symbol": symbols[stock].astype(str), "neighbour": symbols[other].astype(str)}
        date = pl.lit(graph.built[month].item()).cast(pl.Date).alias("date")
        tables.append(pl.DataFrame({**columns, "similarity": similarity}).select(date, pl.all()))
    write_parquet(path, pl.concat(tables))
