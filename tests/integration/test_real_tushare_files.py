"""The real folder written out as Tushare's files: `tushare_csv` makes the panel of them that `ashare_parquet` makes.

A slice, for time: three years, every third stock; the whole is 9.4 million rows, of which text takes several GB.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepfactor.panel.build import open_panel
from deepfactor.panel.panel import Panel
from deepfactor.panel.universe import Universe
from deepfactor.sources.base import Source, fetch_all
from deepfactor.sources.tables import Settings, open_source
from deepfactor.store.folder import write_market

REAL = os.environ.get("DEEPFACTOR_REAL_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL, reason="DEEPFACTOR_REAL_DATA is not set: no test has seen real data"),
]
START, END, EVERY = date(2018, 1, 1), date(2020, 12, 31), 3
#: Of vwap Tushare has amount and volume alone: it is made of them, and differs in its last digits.
ROUNDED = {"vwap"}


@dataclass(frozen=True)
class Made:
    panel: Panel
    universe: Universe
    tables: dict[str, pl.DataFrame]


def made(source: Source, tables: dict[str, pl.DataFrame], market: Path) -> Made:
    write_market(market, tables, source=source.describe())
    return Made(*open_panel(market), tables)


def with_whole_shares(folder: Path, made: Path) -> Path:
    """The real folder with whole shares: those that it has are made of ratios, and Tushare can't say them."""
    made.mkdir()
    for file in folder.iterdir():
        if file.name not in ("float_shares.parquet", "fundamental_steps.parquet"):
            (made / file.name).symlink_to(file)
    shares = pl.read_parquet(folder / "float_shares.parquet").with_columns(pl.col("float_shares").round(0))
    shares.write_parquet(made / "float_shares.parquet")
    steps = pl.read_parquet(folder / "fundamental_steps.parquet")
    whole = pl.when(pl.col("field").cast(pl.String) == "total_shares").then(pl.col("value").round(0))
    steps.with_columns(whole.otherwise("value").alias("value")).write_parquet(made / "fundamental_steps.parquet")
    return made


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, dict[str, pl.DataFrame]]:
    """The folder by its own mapping, every third stock."""
    folder = with_whole_shares(Path(str(REAL)), tmp_path_factory.mktemp("real") / "folder")
    source = open_source(Settings(mapping="ashare_parquet"), folder)
    tables = dict(fetch_all(source, START, END))
    text = {name: frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String)) for name, frame in tables.items()}
    kept = text["daily"]["symbol"].unique().sort().gather_every(EVERY)
    wanted = {"daily", "securities", "industry", "index_daily"}
    of_stocks = {name: text[name] for name in wanted}
    return source, {
        name: frame.filter(pl.col("symbol").is_in(kept.implode())) if "symbol" in frame.columns else frame
        for name, frame in of_stocks.items()
    }


def write_tushare(folder: Path, tables: dict[str, pl.DataFrame]) -> None:
    """Tushare's columns and units, a file a year, the newest rows first, dates as whole numbers."""
    day = pl.col("date").dt.strftime("%Y%m%d").cast(pl.Int64).alias("trade_date")
    daily = tables["daily"].select(pl.col("symbol").alias("ts_code"), day, pl.exclude("symbol", "date"))
    bars = daily.select(
        "ts_code", "trade_date", "open", "high", "low", "close",
        pl.lit(None, dtype=pl.Float64).alias("pre_close"), (pl.col("volume") / 100).alias("vol"),
        (pl.col("vwap") * pl.col("volume") / 1000).alias("amount"),
    )  # fmt: skip
    values = daily.select(
        "ts_code", "trade_date", "close",
        (pl.col("float_mv") / pl.col("close")).round(0).truediv(10000).alias("float_share"),
        (pl.col("total_mv") / pl.col("close")).round(0).truediv(10000).alias("total_share"),
    )  # fmt: skip
    for name, frame in (("daily", bars), ("adj_factor", daily.select("ts_code", "trade_date", "adj_factor")),
                        ("daily_basic", values)):  # fmt: skip
        (folder / name).mkdir(parents=True)
        for year in range(START.year, END.year + 1):
            rows = frame.filter(pl.col("trade_date") // 10000 == year).sort("trade_date", "ts_code", descending=True)
            rows.write_csv(folder / name / f"{year}.csv")
    names(tables["daily"]).write_csv(folder / "namechange.csv")
    dates = pl.col("list_date").dt.strftime("%Y%m%d")
    listed = tables["securities"].select(ts_code="symbol", name="name", list_date=dates)
    listed.with_columns(delist_date=pl.lit(None, dtype=pl.String)).write_csv(folder / "stock_basic.csv")
    since = pl.col("start_date").dt.strftime("%Y%m%d")
    tables["industry"].select(ts_code="symbol", l1_name="industry", in_date=since).write_csv(
        folder / "index_member_all.csv"
    )
    levels = pl.col("date").dt.strftime("%Y%m%d")
    tables["index_daily"].select(ts_code="index", trade_date=levels, close="close").write_csv(
        folder / "index_daily.csv"
    )


def names(daily: pl.DataFrame) -> pl.DataFrame:
    """A name a spell of ST; where the folder doesn't know it Tushare's names say no."""
    rows = daily.sort("symbol", "date").with_columns(mark=pl.col("is_st").fill_null(value=False))
    begins = ((pl.col("mark") != pl.col("mark").shift(1)) | (pl.col("symbol") != pl.col("symbol").shift(1))).fill_null(
        True
    )
    return rows.filter(begins).select(
        ts_code="symbol",
        name=pl.when("mark").then(pl.lit("*ST")).otherwise(pl.lit("")) + pl.lit("甲"),
        start_date=pl.col("date").dt.strftime("%Y%m%d"),
        end_date=pl.lit(None, dtype=pl.String),
    )


@pytest.fixture(scope="module")
def both(ours: tuple[Source, dict[str, pl.DataFrame]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Made]:
    source, tables = ours
    folder = tmp_path_factory.mktemp("tushare")
    write_tushare(folder, tables)
    theirs = open_source(Settings(mapping="tushare_csv"), folder)
    read = dict(fetch_all(theirs))
    markets = tmp_path_factory.mktemp("markets")
    return made(source, tables, markets / "ours"), made(theirs, read, markets / "theirs")


def test_the_panels_fields_are_the_same_to_the_bit(both: tuple[Made, Made]) -> None:
    one, other = (each.panel for each in both)
    np.testing.assert_array_equal(one.dates, other.dates)
    np.testing.assert_array_equal(one.symbols, other.symbols)
    assert one.shape[0] > 700
    assert one.shape[1] > 1000
    assert set(one.fields) == set(other.fields)
    for name in set(one.fields) - ROUNDED:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
        assert np.isfinite(one[name]).mean() > 0.5, name
    for name in ROUNDED:
        np.testing.assert_allclose(one[name], other[name], rtol=2e-7, err_msg=name)


def test_the_universe_is_the_same(both: tuple[Made, Made]) -> None:
    one, other = (each.universe for each in both)
    for name in ("listed", "traded", "next_date"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.st, other.st)
    np.testing.assert_array_equal(one.limit_up, other.limit_up)
    np.testing.assert_array_equal(one.limit_down, other.limit_down)
    assert one.industries == other.industries
    np.testing.assert_array_equal(one.industry, other.industry)
    assert one.index_close.keys() == other.index_close.keys()
    for index, levels in one.index_close.items():
        np.testing.assert_array_equal(levels, other.index_close[index])


def test_tables_say_the_same(both: tuple[Made, Made]) -> None:
    """Row by row: what the folder knows is what comes back."""
    one, other = (each.tables["daily"].with_columns(pl.col("symbol").cast(pl.String)) for each in both)
    joined = one.join(other, on=["symbol", "date"], how="full", suffix="_theirs", coalesce=True)
    assert joined.height == one.height == other.height
    for name in ("open", "high", "low", "close", "volume", "adj_factor", "float_mv", "total_mv"):
        assert joined[name].equals(joined[f"{name}_theirs"]), name
    known = joined.filter(pl.col("is_st").is_not_null())
    assert known["is_st"].equals(known["is_st_theirs"])
    assert known["is_st"].sum() > 1000
