"""Simulated market → BaoStock's form → fetch → ingest = the simulated market, field by field; and its traps."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepfactor.core.errors import DataError
from deepfactor.lake._baostock.calls import BARS, DAY, TABLES
from deepfactor.lake._baostock.plan import BaoStock
from deepfactor.lake.fetching import Wanted, fetch
from deepfactor.lake.folder import Lake
from deepfactor.lake.replay import Replay
from deepfactor.lake.request import Answer
from deepfactor.pipeline.markets import ingest
from deepfactor.sources.baostock import Settings, open_source
from deepfactor.store.folder import MarketFolder
from support.clock import FakeClock
from support.lakes import Listening, baostock_lake, contents
from support.vendor_baostock import BaoStockData, BaoStockInMemory, baostock_data
from support.vendor_tushare import simulated_tables

pytestmark = pytest.mark.slow
START, END = date(2019, 4, 1), date(2019, 7, 12)
#: BaoStock has no limits and no total value, and of a halted day no turnover.
LACKING = ("total_mv", "limit_up", "limit_down")
OF_HALTS = ("date", "symbol", "open", "high", "low", "close", "volume", "amount", "adj_factor", "prev_close", "is_st")
Tables = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def simulated() -> Tables:
    return simulated_tables(stocks=75, start=START, end=END, seed=4)


@pytest.fixture(scope="module")
def data(simulated: Tables) -> BaoStockData:
    return baostock_data(simulated)


@pytest.fixture(scope="module")
def lake(data: BaoStockData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stock by stock until June, then whole days, two evenings of them."""
    path = tmp_path_factory.mktemp("baostock") / "lake"
    for month, day in ((6, 3), (6, 28), (7, 12)):
        clock = FakeClock(datetime(2019, month, day, 11, tzinfo=UTC))
        baostock_lake(path, BaoStockInMemory(data), START, END, TABLES, clock)
    return path


@pytest.fixture(scope="module")
def stored(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> MarketFolder:
    return ingest("baostock", tmp_path_factory.mktemp("market") / "market", lake).folder


def read(stored: MarketFolder, table: str) -> pl.DataFrame:
    return stored.read(table).with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))


def same(one: pl.DataFrame, other: pl.DataFrame, *by: str, rel_tol: float = 1e-12) -> None:
    assert_frame_equal(one.sort(by), other.select(one.columns).sort(by), rel_tol=rel_tol, abs_tol=0)


def test_prices_are_those_of_the_market(simulated: Tables, stored: MarketFolder) -> None:
    daily, made = simulated["daily"].drop(LACKING), read(stored, "daily")
    assert set(made.columns) == set(daily.columns)
    traded = pl.col("is_suspended").not_()
    same(daily.filter(traded).drop("float_mv"), made.filter(traded), "symbol", "date")
    same(daily.filter(traded).select("symbol", "date", "float_mv"), made.filter(traded), "symbol", "date", rel_tol=1e-5)
    same(daily.select(*OF_HALTS, "is_suspended"), made, "symbol", "date")


def test_other_tables_are_those_of_the_market(simulated: Tables, stored: MarketFolder) -> None:
    same(simulated["calendar"], read(stored, "calendar"), "date")
    same(simulated["securities"].drop("board"), read(stored, "securities"), "symbol")
    levels = simulated["index_daily"].filter(pl.col("index").is_in(BaoStock().indices)).drop("total_return_close")
    same(levels, read(stored, "index_daily"), "index", "date")
    industries = read(stored, "industry").select("symbol", "industry")
    truth = dict(simulated["industry"].select("symbol", "industry").iter_rows())
    assert all(truth[symbol] == industry for symbol, industry in industries.iter_rows())


def test_members_are_those_of_mondays(simulated: Tables, stored: MarketFolder) -> None:
    made, truth = read(stored, "index_members"), simulated["index_members"]
    for index in ("000300.SH", "000905.SH"):
        for monday in (date(2019, 4, 15), date(2019, 6, 17), date(2019, 7, 8)):
            inside = (pl.col("start_date") <= monday) & (pl.col("end_date").is_null() | (pl.col("end_date") >= monday))
            mine = pl.col("index") == index
            assert set(made.filter(mine & inside)["symbol"]) == set(truth.filter(mine & inside)["symbol"])


def test_profits_are_known_when_they_were(simulated: Tables, stored: MarketFolder) -> None:
    made = read(stored, "fundamentals").filter(pl.col("item") == "net_profit_ytd")
    first_quarters = pl.col("period_end").dt.month() == 3
    figures = simulated["fundamentals"].filter((pl.col("item") == "net_profit_q") & first_quarters)
    figures = figures.unique(["symbol", "period_end"], keep="first", maintain_order=True)
    figures = figures.filter(pl.col("period_end") >= date(2017, 3, 31)).with_columns(item=pl.lit("net_profit_ytd"))
    same(figures, made.filter(first_quarters), "symbol", "period_end")


def test_what_is_asked(lake: Path) -> None:
    """Raw bars with a start of their own; factors from before any listing; whole days once they are few."""
    recorded = Lake.open(lake).recorded
    bars = [one.request for one in recorded if one.request.api == BARS]
    assert {one["adjustflag"] for one in bars} == {"3"}
    assert {one["start_date"] for one in bars} == {"2019-04-01"}, "by default days since 2015 come"
    assert {one["end_date"] for one in bars if "isST" in one["fields"]} == {"2019-06-03"}
    days = [one.request["date"] for one in recorded if one.request.api == DAY]
    assert days[0] == "2019-06-03"
    assert days[-1] == "2019-07-12"
    assert len(days) == len(set(days))
    factors = [one.request for one in recorded if one.request.api == "query_adjust_factor"]
    assert {one["start_date"] for one in factors} == {"1990-12-19"}
    again = [one["code"] for one in factors if one["end_date"] != "2019-06-03"]
    assert 0 < len(again) < 40, "of stocks with an ex-date or a listing since, and of no others"
    assert not any(one.request["code"].startswith("sh.5") for one in recorded), "no funds"
    weeks = [one.request["date"] for one in recorded if one.request.api == "query_hs300_stocks"]
    assert len(weeks) == len({date.fromisoformat(day).isocalendar()[:2] for day in weeks}) == 15


def test_a_replay_of_the_lake_gives_the_lake_again(lake: Path, tmp_path: Path) -> None:
    held = Lake.open(lake)
    for month, day in ((6, 3), (6, 28), (7, 12)):
        clock = FakeClock(datetime(2019, month, day, 11, tzinfo=UTC))
        wanted = Wanted(START, END, frozenset(TABLES), clock.now())
        with Lake.writing(tmp_path / "again", "baostock") as again:
            fetch(again, BaoStock(), Replay(held, clock.now()), wanted, clock, Listening())
    assert contents(tmp_path / "again") == contents(lake)


def small(tmp_path: Path, data: BaoStockData, tables: tuple[str, ...] = (BARS, "query_adjust_factor")) -> Path:
    clock = FakeClock(datetime(2019, 5, 31, 11, tzinfo=UTC))
    baostock_lake(tmp_path / "small", BaoStockInMemory(data), date(2019, 5, 27), date(2019, 5, 31), tables, clock)
    return tmp_path / "small"


def changed(data: BaoStockData, api: str, change: Any) -> BaoStockData:
    return BaoStockData({**data.rows, api: [change(dict(row)) for row in data.rows[api]]}, data.bars)


def test_a_lake_without_all_factors_is_no_market(data: BaoStockData, tmp_path: Path) -> None:
    """A fetch that was stopped between bars and factors: a factor of 1 would be a guess."""
    path = small(tmp_path, data)
    with Lake.writing(path, "baostock") as lake:
        line = next(one for one in lake.recorded if one.request.api == "query_adjust_factor")
        kept = [one for one in (path / "answers.jsonl").read_bytes().splitlines(True) if line.part.encode() not in one]
    (path / "answers.jsonl").write_bytes(b"".join(kept))
    with pytest.raises(DataError, match="query_adjust_factor"):
        open_source(Settings(), path).fetch("daily", None, None)


def test_the_backward_factor_is_read_and_no_other(data: BaoStockData, tmp_path: Path) -> None:
    """foreAdjustFactor changes with each dividend; the vendor's documentation calls each step's factor so, too."""
    odd = changed(data, "query_adjust_factor", lambda row: row | {"foreAdjustFactor": "9", "adjustFactor": "9"})
    made = open_source(Settings(), small(tmp_path, odd)).fetch("daily", None, None)
    assert made["adj_factor"].max() != 9
    assert made["adj_factor"].null_count() == 0


def test_industries_without_a_name_and_classes_that_change(data: BaoStockData, tmp_path: Path) -> None:
    def change(row: dict[str, str]) -> dict[str, str]:
        return (
            row | {"industry": f"{row['industry']}B"} if row["updateDate"] >= "2019-05-27" and row["industry"] else row
        )

    wide = (BARS, "query_adjust_factor", "query_stock_industry")
    clock = FakeClock(datetime(2019, 5, 31, 11, tzinfo=UTC))
    odd = BaoStockInMemory(changed(data, "query_stock_industry", change))
    baostock_lake(tmp_path / "lake", odd, date(2019, 5, 6), date(2019, 5, 31), wide, clock)
    source = open_source(Settings(), tmp_path / "lake")
    source.fetch("daily", None, None)
    made = source.fetch("industry", None, None)
    one = made.filter(pl.col("symbol").cast(pl.String) == made["symbol"][0]).sort("start_date")
    assert one["end_date"].to_list() == [date(2019, 5, 26), None]
    assert one["start_date"].to_list()[1] == date(2019, 5, 27)


def test_adjusted_prices_in_a_lake_are_refused(data: BaoStockData, tmp_path: Path) -> None:
    path = small(tmp_path, data)
    with Lake.writing(path, "baostock") as lake:
        one = next(one for one in lake.recorded if one.request.api == BARS and one.rows)
        rows = lake.rows([one], one.columns).with_columns(adjustflag=pl.lit("1"))
        lake.add([Answer(one.request, rows, datetime(2019, 6, 1, tzinfo=UTC))])
    with pytest.raises(DataError, match="adjustflag: prices come adjusted"):
        open_source(Settings(), path).fetch("daily", None, None)
