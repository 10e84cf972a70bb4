"""An example of every source kind: the smallest market that it can be opened on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

from deepfactor.core.kind import Kind
from deepfactor.core.trust import SHIPPED
from deepfactor.sources.base import ROOM, Source, fetch_all
from support.clock import FakeClock
from support.lakes import baostock_lake, tushare_lake
from support.market_tables import market_tables
from support.qlib_folder import write_qlib
from support.vendor_baostock import BaoStockInMemory, baostock_data
from support.vendor_tushare import simulated_tables, tushare_data

SPAN = {"start": date(2019, 1, 2), "end": date(2019, 4, 30)}


def simulated(folder: Path) -> dict[str, Any]:
    """Made by a seed; the folder stays empty."""
    return {"kind": "simulated", "stocks": 50, **SPAN}


def tables(folder: Path) -> dict[str, Any]:
    """A parquet file a table, named as ours but for one unit."""
    made = market_tables()
    for name, frame in made.items():
        lots = [pl.col("volume") / 100] if name == "daily" else []
        frame.with_columns(lots).write_parquet(folder / f"{name}.parquet")
    mapping = folder / "mapping.toml"
    mapping.write_text('name = "mine"\n' + "".join(_tables_toml(name, frame) for name, frame in made.items()))
    return {"kind": "tables", "mapping": str(mapping)}


def _tables_toml(name: str, frame: pl.DataFrame) -> str:
    columns = [f'{column} = "{column}"' for column in frame.columns if column != "volume"]
    columns += ['volume = { from = "volume", multiply = 100 }'] if "volume" in frame.columns else []
    return f'[tables.{name}]\nfile = "{name}.parquet"\ncolumns = {{ {", ".join(columns)} }}\n'


def qlib(folder: Path) -> dict[str, Any]:
    """The simulated market as qlib would hold it."""
    write_qlib(folder, dict(fetch_all(open_kind(simulated(folder), None))))
    return {"kind": "qlib"}


def tushare(folder: Path) -> dict[str, Any]:
    """A lake of the simulated market's answers by Tushare."""
    shutil.copytree(_tushare_lake().name, folder, dirs_exist_ok=True)
    return {"kind": "tushare"}


def baostock(folder: Path) -> dict[str, Any]:
    """A lake of the simulated market's answers by BaoStock."""
    shutil.copytree(_baostock_lake().name, folder, dirs_exist_ok=True)
    return {"kind": "baostock"}


@cache
def _baostock_lake() -> TemporaryDirectory[str]:
    made, clock = TemporaryDirectory(), FakeClock(datetime(2019, 5, 1, tzinfo=UTC))
    wire = BaoStockInMemory(baostock_data(simulated_tables(**SPAN)))
    baostock_lake(Path(made.name), wire, SPAN["start"], SPAN["end"], clock=clock)
    return made


@cache
def _tushare_lake() -> TemporaryDirectory[str]:
    made, clock = TemporaryDirectory(), FakeClock(datetime(2019, 5, 1, tzinfo=UTC))
    tushare_lake(Path(made.name), tushare_data(simulated_tables(**SPAN)), SPAN["start"], SPAN["end"], clock=clock)
    return made


def sql(folder: Path) -> dict[str, Any]:
    """A DuckDB file with a table a table."""
    made = market_tables()
    write_duckdb(folder / "market.duckdb", made)
    tables = {
        name: {"query": f"SELECT * FROM {name}", "columns": {c: c for c in f.columns}} for name, f in made.items()
    }
    tables["index_daily"]["query"] += " WHERE date BETWEEN :start AND :end"
    return {"kind": "sql", "name": "mine", "tables": tables}


def write_duckdb(file: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    """A DuckDB file with these tables."""
    with duckdb.connect(str(file)) as connection:
        for name, frame in tables.items():
            parquet = file.with_name(f"{name}.parquet")
            frame.write_parquet(parquet)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{parquet}')")
            parquet.unlink()


#: Kind → a function that fills an empty folder and says what to write in a TOML to read it.
EXAMPLES: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "simulated": simulated,
    "tables": tables,
    "qlib": qlib,
    "sql": sql,
    "tushare": tushare,
    "baostock": baostock,
}


def open_kind(choice: Mapping[str, Any], folder: Path | None) -> Source:
    """The source that a TOML with this content gives."""
    chosen = ROOM.choose(Kind.model_validate(choice), key="source")
    return chosen.part.open_source(chosen.settings, folder, SHIPPED)
