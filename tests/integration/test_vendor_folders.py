"""Simulated market → a vendor's files → ingest by the shipped mapping = the simulated market, field by field.

Where a vendor has no such field it stands in `LACKING`, with why; its traps are tested one by one below.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepfactor.pipeline.markets import ingest
from deepfactor.store.folder import MarketFolder
from support.cli import deepfactor
from support.vendor_folders import CLASSES, WRITERS
from support.vendor_tushare import simulated_tables

pytestmark = pytest.mark.slow
START, END = date(2019, 4, 1), date(2019, 7, 12)
Tables = Mapping[str, pl.DataFrame]
#: Fields of `daily` that a vendor has not at all.
LACKING = {
    "tushare_csv": (),
    "baostock_csv": ("total_mv", "limit_up", "limit_down"),
    "akshare_csv": ("total_mv", "limit_up", "limit_down", "prev_close", "is_st", "is_suspended"),
    "joinquant_csv": (),
}
#: And on halted days: Tushare has no bar, so no prices; nobody has turnover and value but of bars.
LACKING_OF_HALTS = {
    "tushare_csv": ("open", "high", "low", "close", "prev_close", "turnover", "total_mv", "float_mv"),
    "baostock_csv": ("turnover", "float_mv"),
    "akshare_csv": (),  # no rows at all
    "joinquant_csv": ("turnover", "total_mv", "float_mv"),
}
#: Relative error of fields that a vendor rounds, or that are made of rounded ones.
ROUNDED = {
    "baostock_csv": {"float_mv": 1e-5},
    "akshare_csv": {"turnover": 0.51, "float_mv": 0.51},
}
#: Tables that a vendor has not.
ABSENT = {
    "tushare_csv": {"index_members"},
    "baostock_csv": {"index_weights"},
    "akshare_csv": {"index_members", "fundamentals"},
    "joinquant_csv": {"index_members"},
}


@cache
def simulated() -> Tables:
    return simulated_tables(stocks=75, start=START, end=END, seed=4)


@cache
def folder_of(mapping: str) -> Path:
    folder = Path(mkdtemp(prefix=mapping))
    WRITERS[mapping](folder, simulated())
    return folder


@cache
def stored(mapping: str) -> MarketFolder:
    return ingest(mapping, Path(mkdtemp(prefix="market")) / "market", folder_of(mapping)).folder


def read(mapping: str, table: str) -> pl.DataFrame:
    return stored(mapping).read(table).with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))


def same(one: pl.DataFrame, other: pl.DataFrame, *by: str, rel_tol: float = 1e-12) -> None:
    assert_frame_equal(one.sort(by), other.select(one.columns).sort(by), rel_tol=rel_tol, abs_tol=0)


MAPPINGS = pytest.mark.parametrize("mapping", WRITERS)


def test_the_market_has_what_is_to_be_shown() -> None:
    daily = simulated()["daily"]
    assert daily["is_suspended"].sum() > 10
    assert daily["is_st"].n_unique() == 2
    assert daily.group_by("symbol").agg(pl.col("adj_factor").n_unique())["adj_factor"].max() > 1
    assert simulated()["securities"]["delist_date"].drop_nulls().len() > 0


@MAPPINGS
def test_a_day_and_stock_is_that_of_the_market(mapping: str) -> None:
    daily, made = simulated()["daily"].drop(LACKING[mapping]), read(mapping, "daily")
    assert set(made.columns) == set(daily.columns)
    rounded = ROUNDED.get(mapping, {})
    traded = pl.col("volume") > 0
    of_bars, bars = simulated()["daily"].filter(~pl.col("is_suspended")).select(daily.columns), made.filter(traded)
    same(of_bars.drop(rounded), bars, "symbol", "date")
    for name, tolerance in rounded.items():
        same(of_bars.select("symbol", "date", name), bars, "symbol", "date", rel_tol=tolerance)
    halted = simulated()["daily"].filter("is_suspended").select(daily.drop(LACKING_OF_HALTS[mapping]).columns)
    same(halted if mapping != "akshare_csv" else halted.clear(), made.filter(~traded), "symbol", "date")


@MAPPINGS
def test_it_has_all_tables_that_the_vendor_has(mapping: str) -> None:
    there = set(stored(mapping).manifest.tables)
    assert there == set(simulated()) - ABSENT[mapping]
    notes = stored(mapping).manifest.source["notes"]
    assert not [note for note in notes if "left out" in note]


@MAPPINGS
def test_other_tables_are_those_of_the_market(mapping: str) -> None:
    truth = simulated()
    calendar = truth["calendar"]
    same(calendar, read(mapping, "calendar"), "date")
    indices = read(mapping, "index_daily")["index"].unique().to_list()
    assert {"000300.SH", "000905.SH", "000852.SH"} & set(indices) >= {"000300.SH", "000905.SH"}
    levels = truth["index_daily"].filter(pl.col("index").is_in(indices)).drop("total_return_close")
    same(levels, read(mapping, "index_daily"), "index", "date")
    if "index_weights" not in ABSENT[mapping]:
        same(truth["index_weights"], read(mapping, "index_weights"), "index", "date", "symbol")
    securities = truth["securities"].drop("board")
    if mapping == "akshare_csv":
        securities = securities.drop("list_date", "delist_date")
        securities = securities.join(read(mapping, "daily").select("symbol").unique(), on="symbol", how="semi")
    same(securities, read(mapping, "securities"), "symbol")


@MAPPINGS
def test_industries_are_those_of_the_market(mapping: str) -> None:
    truth = simulated()["industry"].select("symbol", "industry", "start_date")
    made = read(mapping, "industry")
    if mapping in ("tushare_csv", "akshare_csv"):
        truth = truth.join(read(mapping, "daily").select("symbol").unique(), on="symbol", how="semi")
        if mapping == "akshare_csv":  # by names of Shenwan's classes
            assert made["industry"].n_unique() == truth["industry"].n_unique()
            assert not set(made["industry"]) & set(CLASSES)
            names = made.join(truth, on="symbol").select("industry", "industry_right").unique()
            assert names.height == truth["industry"].n_unique()
            truth, made = truth.drop("industry"), made.drop("industry")
        same(truth, made, "symbol")
    else:  # of lists
        known = dict(truth.select("symbol", "industry").iter_rows())
        assert all(known[symbol] == one for symbol, one in made.select("symbol", "industry").iter_rows())
        assert made["symbol"].n_unique() > 40


@pytest.mark.parametrize("mapping", ["tushare_csv", "joinquant_csv"])
def test_balances_are_known_when_they_were(mapping: str) -> None:
    items = pl.col("item").is_in(["total_assets", "total_equity", "total_liabilities"])
    figures, made = simulated()["fundamentals"].filter(items), read(mapping, "fundamentals").filter(items)
    same(figures, made, "symbol", "item", "period_end", "known_at")


def test_members_are_those_of_mondays() -> None:
    made, truth = read("baostock_csv", "index_members"), simulated()["index_members"]
    for index in ("000300.SH", "000905.SH"):
        for monday in (date(2019, 4, 15), date(2019, 6, 17), date(2019, 7, 8)):
            inside = (pl.col("start_date") <= monday) & (pl.col("end_date").is_null() | (pl.col("end_date") >= monday))
            mine = pl.col("index") == index
            assert set(made.filter(mine & inside)["symbol"]) == set(truth.filter(mine & inside)["symbol"])


@MAPPINGS
def test_evening_after_evening_is_as_all_at_once(mapping: str, tmp_path: Path) -> None:
    """The same folder again writes nothing."""
    for _ in range(2):
        result = deepfactor("ingest", mapping, tmp_path / "m", "--folder", folder_of(mapping), "--json")
        assert result.code == 0, result.err
    again = MarketFolder.open(tmp_path / "m")
    assert again.manifest.source.get("appended", []) == []
    assert_frame_equal(again.read("daily"), stored(mapping).read("daily"), categorical_as_str=True)


def until(tables: Tables, last: date) -> dict[str, pl.DataFrame]:
    """The market as a vendor had it on a day; the calendar reaches ahead."""
    day = {"daily": "date", "index_daily": "date", "index_weights": "date", "fundamentals": "known_at"}
    return {name: frame.filter(pl.col(day[name]) <= last) if name in day else frame for name, frame in tables.items()}


@MAPPINGS
def test_a_folder_that_grows_is_as_all_at_once(mapping: str, tmp_path: Path) -> None:
    """Further files, halted days and lists too: an evening asks for the last days alone."""
    for last in (date(2019, 6, 28), date(2019, 7, 5), END):
        folder = tmp_path / str(last)
        folder.mkdir()
        WRITERS[mapping](folder, until(simulated(), last))
        held = ingest(mapping, tmp_path / "m", folder, accept_revisions=True).folder
    source = held.manifest.source
    assert len(source.get("appended", [])) == 2, "days were appended, nothing was read anew"
    for table in stored(mapping).manifest.tables:
        one, other = held.read(table), stored(mapping).read(table)
        by = [
            name
            for name in one.columns
            if name in ("symbol", "index", "date", "item", "known_at", "period_end", "start_date")
        ]
        assert_frame_equal(one.sort(by), other.sort(by), categorical_as_str=True)
