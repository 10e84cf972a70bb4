"""Simulated market → Tushare's form → fetch → ingest = the simulated market, field by field; kept up; as once known."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepfactor.core.errors import DataError
from deepfactor.lake._tushare.plan import INDICES, Tushare
from deepfactor.lake.fetching import Wanted, fetch
from deepfactor.lake.folder import Lake
from deepfactor.lake.replay import Replay
from deepfactor.lake.request import Answer
from deepfactor.pipeline.markets import ingest
from deepfactor.store.folder import MarketFolder
from support.cli import deepfactor
from support.clock import FakeClock
from support.lakes import ALL, Listening, contents, fetch_tushare, tushare_lake
from support.tushare_server import tushare_server
from support.vendor_tushare import TushareData, simulated_tables, tushare_data

pytestmark = pytest.mark.slow
START, END = date(2019, 4, 1), date(2019, 7, 12)
#: What Tushare has of a day on which a stock is halted.
OF_HALTS = ("date", "symbol", "volume", "amount", "adj_factor", "is_suspended", "is_st", "limit_up", "limit_down")
Tables = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def simulated() -> Tables:
    return simulated_tables(stocks=75, start=START, end=END, seed=4)


@pytest.fixture(scope="module")
def data(simulated: Tables) -> TushareData:
    return tushare_data(simulated)


@pytest.fixture(scope="module")
def lake(data: TushareData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tushare") / "lake"
    return tushare_lake(path, data, START, END, clock=FakeClock(datetime(2019, 7, 12, 11, tzinfo=UTC)))


@pytest.fixture(scope="module")
def stored(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> MarketFolder:
    market = tmp_path_factory.mktemp("market") / "market"
    return ingest("tushare", market, lake).folder


def read(stored: MarketFolder, table: str) -> pl.DataFrame:
    return stored.read(table).with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))


def same(one: pl.DataFrame, other: pl.DataFrame, *by: str) -> None:
    """Equal up to the rounding that units cost."""
    assert_frame_equal(one.sort(by), other.select(one.columns).sort(by), rel_tol=1e-12, abs_tol=0)


def test_the_market_has_what_is_to_be_shown(simulated: Tables) -> None:
    daily = simulated["daily"]
    assert daily["is_suspended"].sum() > 10
    assert daily["is_st"].n_unique() == 2
    assert daily.group_by("symbol").agg(pl.col("adj_factor").n_unique())["adj_factor"].max() > 1
    assert simulated["securities"]["delist_date"].drop_nulls().len() > 0


def test_prices_are_those_of_the_market(simulated: Tables, stored: MarketFolder) -> None:
    daily, made = simulated["daily"], read(stored, "daily")
    assert made.columns == [name for name in daily.columns if name in made.columns]
    assert set(made.columns) == set(daily.columns), "all fields but none that Tushare can't give"
    traded = daily.filter(~pl.col("is_suspended"))
    same(traded, made.filter(~pl.col("is_suspended")), "symbol", "date")
    same(daily.select(OF_HALTS), made, "symbol", "date")


@pytest.mark.parametrize("table", ["calendar", "index_weights"])
def test_other_tables_are_those_of_the_market(table: str, simulated: Tables, stored: MarketFolder) -> None:
    made = read(stored, table)
    by = [name for name in ("index", "symbol", "date") if name in made.columns]
    expected = simulated[table]
    expected = expected.filter(pl.col("index").is_in(INDICES)) if "index" in by else expected
    same(expected, made, *by)


def test_securities_industries_levels(simulated: Tables, stored: MarketFolder) -> None:
    same(simulated["securities"].drop("board"), read(stored, "securities"), "symbol")
    same(simulated["industry"].drop("end_date"), read(stored, "industry"), "symbol")
    levels = simulated["index_daily"].filter(pl.col("index").is_in(INDICES)).drop("total_return_close")
    same(levels, read(stored, "index_daily"), "index", "date")


def test_balances_are_known_when_they_were(simulated: Tables, stored: MarketFolder) -> None:
    made = read(stored, "fundamentals")
    figures = simulated["fundamentals"].filter(pl.col("period_end") >= date(2017, 3, 31))
    items = ["total_assets", "total_equity", "total_liabilities"]
    same(
        figures.filter(pl.col("item").is_in(items)),
        made.filter(pl.col("item").is_in(items)),
        "symbol", "item", "period_end", "known_at",
    )  # fmt: skip


def test_quarters_follow_from_years_to_date_restatements_included(simulated: Tables, stored: MarketFolder) -> None:
    """What is known last of each quarter, once it has been restated or not."""
    made = read(stored, "fundamentals").filter(pl.col("item") == "net_profit_ytd")
    last = made.sort("known_at").group_by("symbol", "period_end").agg(pl.col("value").last())
    before = pl.when(pl.col("period_end").dt.month() > 3).then(pl.col("value").shift(1)).otherwise(0)
    last = last.sort("symbol", "period_end").with_columns(quarter=pl.col("value") - before)
    figures = simulated["fundamentals"].filter(pl.col("item") == "net_profit_q")
    truth = figures.sort("known_at").group_by("symbol", "period_end").agg(pl.col("value").last().alias("truth"))
    restated = figures.filter(pl.struct("symbol", "period_end").is_duplicated()).select("symbol", "period_end").unique()
    both = last.join(truth, on=["symbol", "period_end"]).filter(pl.col("period_end") >= date(2018, 3, 31))
    near = both.join(restated, on="symbol", how="anti")  # later statements of a year don't repeat a correction
    assert near.height > 100
    assert (near["quarter"] - near["truth"]).abs().max() < 1


def test_http_gives_the_same_lake(data: TushareData, lake: Path, tmp_path: Path) -> None:
    with tushare_server(data) as server:
        clock = FakeClock(datetime(2019, 7, 12, 11, tzinfo=UTC))
        fetch_tushare(tmp_path / "lake", server, date(2019, 7, 8), END, ALL, clock=clock)
    days = contents(tmp_path / "lake")
    whole = contents(lake)
    assert {key: days[key] for key in days.keys() & whole.keys()}.items() <= whole.items()
    assert sum("trade_date" in key for key in days.keys() & whole.keys()) == 25


def test_a_replay_of_the_lake_gives_the_lake_again(lake: Path, tmp_path: Path) -> None:
    """The lake is the recording: with it in the vendor's place a fetch comes to the same."""
    clock = FakeClock(datetime(2019, 7, 12, 11, tzinfo=UTC))
    wanted = Wanted(START, END, frozenset(ALL), clock.now())
    with Lake.writing(tmp_path / "again", "tushare") as again:
        fetch(again, Tushare(), Replay(Lake.open(lake)), wanted, clock, Listening())
    assert contents(tmp_path / "again") == contents(lake)


def test_evening_by_evening_is_as_all_at_once(data: TushareData, stored: MarketFolder, tmp_path: Path) -> None:
    lake, market = tmp_path / "lake", tmp_path / "market"
    for day in (28, 29, 30, 31, 32):
        evening = datetime(2019, 6, 28, 11, tzinfo=UTC) if day == 28 else datetime(2019, 7, day - 20, 11, tzinfo=UTC)
        tushare_lake(lake, data, START, END, clock=FakeClock(evening))
        ingest("tushare", market, lake, accept_revisions=True)
    kept = MarketFolder.open(market)
    for table in ("daily", "securities", "industry", "index_weights", "index_daily"):
        assert_frame_equal(kept.read(table), stored.read(table), categorical_as_str=True)


def test_what_was_known_on_a_day_can_be_had_again(data: TushareData, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    revised = TushareData({**data.rows, "daily": [dict(row) for row in data.rows["daily"]]})
    tushare_lake(lake, data, START, END, clock=FakeClock(datetime(2019, 6, 20, 11, tzinfo=UTC)))
    ingest("tushare", tmp_path / "then", lake)
    for row in revised.rows["stock_basic"]:
        row["name"] = f"{row['name']}A"
    tushare_lake(lake, revised, START, END, clock=FakeClock(datetime(2019, 7, 1, 11, tzinfo=UTC)))
    ingest("tushare", tmp_path / "now", lake)
    (tmp_path / "then.toml").write_text('kind = "tushare"\nas_of = 2019-06-20\n')
    ingest(str(tmp_path / "then.toml"), tmp_path / "again", lake)
    then, again, now = (MarketFolder.open(tmp_path / name) for name in ("then", "again", "now"))
    for table in then.manifest.tables:
        assert_frame_equal(again.read(table), then.read(table), categorical_as_str=True)
    assert now.read("securities")["name"][0].endswith("A")
    assert not again.read("securities")["name"][0].endswith("A")
    (tmp_path / "before.toml").write_text('kind = "tushare"\nas_of = 2019-06-19\n')
    with pytest.raises(DataError, match="no answers of stock_basic by 2019-06-19"):
        ingest(str(tmp_path / "before.toml"), tmp_path / "before", lake)


def test_revised_history_is_seen(lake: Path, tmp_path: Path) -> None:
    """An answer that is asked for anew and has changed: refused by `ingest`, taken with leave."""
    copy, market = tmp_path / "lake", tmp_path / "market"
    shutil.copytree(lake, copy)
    assert deepfactor("ingest", "tushare", market, "--folder", copy).code == 0
    with Lake.writing(copy, "tushare") as held:
        one = next(answer for answer in held.of("daily") if answer.request["trade_date"] == "20190711")
        rows = held.rows([one], one.columns)
        rows = rows.with_columns(amount=(pl.col("amount").cast(pl.Float64) * 1.0001).cast(pl.String))
        held.add([Answer(one.request, rows, datetime(2019, 7, 13, tzinfo=UTC))])
    refusal = deepfactor("ingest", "tushare", market, "--folder", copy)
    assert refusal.code == 2
    assert "--accept-revisions" in refusal.err
    assert deepfactor("ingest", "tushare", market, "--folder", copy, "--accept-revisions").code == 0
