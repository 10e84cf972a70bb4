"""Writes a market as a folder in qlib's format, as qlib's own ``dump_bin.py`` would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

INDEX_FILES = {"000300.SH": "csi300", "000905.SH": "csi500", "000852.SH": "csi1000", "000985.SH": "csiall"}


def write_qlib(folder: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    """Adjusted prices and volumes, `factor`, and the members; suspended days are holes."""
    days = tables["daily"]["date"].unique().sort().to_numpy().astype("datetime64[D]")
    (folder / "calendars").mkdir(parents=True)
    (folder / "instruments").mkdir()
    _write_days(folder, "day", days)
    ahead = tables["calendar"]["date"].to_numpy().astype("datetime64[D]")
    if len(ahead) > len(days):
        _write_days(folder, "day_future", ahead)
    adjusted = qlib_fields(tables["daily"])
    spans = []
    for (symbol,), rows in adjusted.partition_by("symbol", as_dict=True, maintain_order=True).items():
        at = np.searchsorted(days, rows["date"].to_numpy().astype("datetime64[D]"))
        spans.append(f"{theirs(symbol)}\t{days[at[0]]}\t{days[at[-1]]}")
        for field in adjusted.columns[2:]:
            values = np.full(at[-1] - at[0] + 1, np.nan)
            values[at - at[0]] = rows[field].fill_null(np.nan).to_numpy()
            write_field(folder, symbol, field, int(at[0]), values)
    (folder / "instruments" / "all.txt").write_text("\n".join(spans) + "\n")
    _write_indices(folder, tables, days)


def qlib_fields(daily: pl.DataFrame) -> pl.DataFrame:
    """Traded rows with qlib's fields: prices × factor, volume ÷ factor, the return as `change`."""
    price, factor = ("open", "high", "low", "close", "vwap"), pl.col("adj_factor")
    if "vwap" not in daily.columns:
        daily = daily.with_columns(vwap=pl.when(pl.col("volume") > 0).then(pl.col("amount") / pl.col("volume")))
    traded = daily.filter(pl.col("volume") > 0).sort("symbol", "date")
    out = traded.select(
        "symbol", "date", *(pl.col(name) * factor for name in price), pl.col("volume") / factor, "amount", factor=factor
    )
    return out.with_columns(change=pl.col("close") / pl.col("close").shift(1).over("symbol") - 1)


def write_field(folder: Path, symbol: str, field: str, first: int, values: np.ndarray) -> None:
    file = field_file(folder, symbol, field)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.concatenate([[first], values]).astype("<f4").tofile(file)


def field_file(folder: Path, symbol: str, field: str) -> Path:
    return folder / "features" / theirs(symbol).lower() / f"{field}.day.bin"


def theirs(symbol: str) -> str:
    """``600000.SH`` as ``SH600000``."""
    return symbol[7:] + symbol[:6]


def _write_indices(folder: Path, tables: Mapping[str, pl.DataFrame], days: np.ndarray) -> None:
    for (index,), rows in tables["index_members"].partition_by("index", as_dict=True).items():
        spans = rows.with_columns(pl.col("end_date").fill_null(days[-1].item())).select(
            "symbol", "start_date", "end_date"
        )
        lines = [f"{theirs(symbol)}\t{start}\t{end}" for symbol, start, end in spans.rows()]
        (folder / "instruments" / f"{INDEX_FILES[index]}.txt").write_text("\n".join(lines) + "\n")
    for (index,), rows in tables["index_daily"].partition_by("index", as_dict=True).items():
        at = int(np.searchsorted(days, rows["date"].to_numpy().astype("datetime64[D]")[0]))
        write_field(folder, index, "close", at, rows["close"].to_numpy())


def _write_days(folder: Path, name: str, days: np.ndarray) -> None:
    (folder / "calendars" / f"{name}.txt").write_text("".join(f"{day}\n" for day in days))
