"""Traps of Tushare's tables, each once: what is wrong in a vendor's answer becomes right, is said, or is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deepfactor.core.errors import DataError
from deepfactor.lake._tushare import wire
from deepfactor.lake._tushare.calls import CALLS
from deepfactor.lake._tushare.plan import Tushare
from deepfactor.lake.fetching import Wanted, fetch
from deepfactor.lake.folder import Lake
from deepfactor.lake.live import Live
from deepfactor.lake.pace import Pace
from deepfactor.lake.request import Answer, Request
from deepfactor.lake.vendors import open_vendor
from deepfactor.sources._lake import Held
from deepfactor.sources._lake_tushare import VIEWS
from deepfactor.sources.tushare import Settings, open_source
from support.clock import FakeClock
from support.lakes import ALL, PRICES, Listening, contents, fetch_tushare, tushare_lake
from support.tushare_server import tushare_server
from support.vendor_tushare import TushareData, TushareInMemory, simulated_tables, tushare_data

DAYS = date(2019, 3, 27), date(2019, 3, 29)
EVENING = datetime(2019, 3, 29, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def market() -> TushareData:
    return tushare_data(simulated_tables(start=date(2019, 3, 11)))


def changed(market: TushareData, api: str, change: Any) -> TushareData:
    """The vendor with each row of a call as `change` makes it; None = left out."""
    rows = [change(dict(row)) for row in market.rows[api]]
    return TushareData({**market.rows, api: [row for row in rows if row is not None]})


def held(path: Path, api: str, *rows: dict[str, str | None], **params: str) -> Held:
    """A lake with one answer."""
    with Lake.writing(path, "tushare") as lake:
        columns = CALLS[api].columns
        frame = pl.DataFrame(
            [{name: row.get(name) for name in columns} for row in rows], schema=dict.fromkeys(columns, pl.String)
        )
        lake.add([Answer(Request.of(api, params), frame, EVENING)])
    return Held(Lake.open(path))


def daily_of(path: Path, data: TushareData, **more: Any) -> pl.DataFrame:
    tushare_lake(path, data, *DAYS, clock=FakeClock(EVENING), **more)
    return open_source(Settings(), path).fetch("daily", None, None)


def test_volumes_after_hours_belong_to_the_day_before_and_after_the_change(tmp_path):
    """Since 2026-07-06 vol and amount are without them; both columns count then, and not before."""
    bars = dict.fromkeys(("open", "high", "low", "close", "pre_close"), "10")
    for day in ("20260703", "20260706"):
        row = bars | {"ts_code": "300750.SZ", "trade_date": day, "vol": "100", "amount": "100"}
        with Lake.writing(tmp_path / "lake", "tushare") as lake:
            frame = pl.DataFrame([row | {"ah_vol": "5", "ah_amount": "6"}])
            lake.add([Answer(Request.of("daily", {"trade_date": day}), frame, EVENING)])
    made = VIEWS["daily"].make(Held(Lake.open(tmp_path / "lake")), (None, None))
    assert made["vol"].to_list() == [100.0, 105.0]
    assert made["amount"].to_list() == [100.0, 106.0]


@pytest.mark.parametrize(
    ("factor", "said"), [(0.5, "close × free_share"), (1e-4, "something else"), (1.3, "something else")]
)
def test_float_value_is_close_times_float_shares_or_refused(market, tmp_path, factor, said):
    data = changed(market, "daily_basic", lambda row: row | {"circ_mv": row["circ_mv"] * factor})
    with pytest.raises(DataError, match=f"circ_mv: is {said}"):
        daily_of(tmp_path / "lake", data)


def test_a_factor_that_comes_late_is_asked_for_again_and_taken(market, tmp_path):
    late = market.rows["daily"][-1]["ts_code"]

    def without(row: dict[str, Any]) -> dict[str, Any] | None:
        return None if (row["ts_code"], row["trade_date"]) == (late, "20190329") else row

    made = daily_of(tmp_path / "lake", changed(market, "adj_factor", without))
    assert made.filter(pl.col("adj_factor").is_null())["symbol"].to_list() == [late]
    tushare_lake(tmp_path / "lake", market, *DAYS, clock=FakeClock(datetime(2019, 3, 30, 11, tzinfo=UTC)))
    assert open_source(Settings(), tmp_path / "lake").fetch("daily", None, None)["adj_factor"].null_count() == 0
    asked = [one for one in Lake.open(tmp_path / "lake").recorded if one.request.api == "adj_factor"]
    assert [one.request["trade_date"] for one in asked] == ["20190327", "20190328", "20190329", "20190329"]


def test_factors_that_are_whole_are_not_asked_for_again(market, tmp_path):
    for day in (29, 30):
        tushare_lake(tmp_path / "lake", market, *DAYS, PRICES, clock=FakeClock(datetime(2019, 3, day, 11, tzinfo=UTC)))
    assert sum(one.request.api == "adj_factor" for one in Lake.open(tmp_path / "lake").recorded) == 3


@pytest.mark.slow
def test_halts_within_a_day_are_no_suspension(market, tmp_path):
    def halted(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"suspend_timing": "09:30-10:00"}

    whole = daily_of(tmp_path / "whole", market)
    assert whole["is_suspended"].any()
    within = daily_of(tmp_path / "within", changed(market, "suspend_d", halted))
    assert not within["is_suspended"].any()
    assert within.height == whole.filter(~pl.col("is_suspended")).height


def test_a_name_that_comes_twice_once_without_its_end(tmp_path, market):
    code = market.rows["daily"][-1]["ts_code"]
    name = {"ts_code": code, "ann_date": "20190101", "change_reason": "ST"}
    rows = [
        name | {"name": "*ST甲", "start_date": "20190301", "end_date": None},
        name | {"name": "*ST甲", "start_date": "20190301", "end_date": "20190327"},
        name | {"name": "甲", "start_date": "20190328", "end_date": None},
    ]
    data = TushareData({**market.rows, "namechange": rows})
    made = daily_of(tmp_path / "lake", data).filter(pl.col("symbol").cast(pl.String) == code)
    assert made["is_st"].to_list() == [True, False, False]


def test_names_and_statements_are_asked_for_by_what_their_dates_mean(market, tmp_path):
    """`start_date` of namechange limits announcements, so none is given; a quarter is named by `period`."""
    tushare_lake(tmp_path / "lake", market, *DAYS, ALL, clock=FakeClock(EVENING))
    recorded = Lake.open(tmp_path / "lake").recorded
    assert [one.request.params for one in recorded if one.request.api == "namechange"] == [()]
    income = [dict(one.request.params) for one in recorded if one.request.api == "income_vip"]
    assert all(one.keys() == {"period", "report_type"} for one in income)
    assert min(one["period"] for one in income) == "20170331", "years before the first day, for trailing ones"


@pytest.mark.slow
def test_limits_of_more_than_a_page(market, tmp_path):
    """Of limits, and whatever else has more rows than a page: asked on by offset."""

    class SmallPages(TushareInMemory):
        def rows_a_page(self, request: Request) -> int | None:
            return 20

        def page(self, request: Request, number: int, first: int) -> Any:
            limited = Request.of(request.api, dict(request.params) | {"limit": "20"})
            return super().page(limited, number, first)

    clock = FakeClock(EVENING)
    wanted = Wanted(*DAYS, frozenset(ALL), clock.now())
    with Lake.writing(tmp_path / "pages", "tushare") as lake:
        fetch(lake, Tushare(), Live(SmallPages(market), Pace(clock, 10**6), clock), wanted, clock, Listening())
    tushare_lake(tmp_path / "whole", market, *DAYS, clock=FakeClock(EVENING))
    assert contents(tmp_path / "pages") == contents(tmp_path / "whole")


def test_an_industry_ends_before_the_next_one_starts(tmp_path):
    row = {"ts_code": "600000.SH", "l1_code": "801780.SI", "is_new": "N", "name": ""}
    made = VIEWS["index_member_all"].make(
        held(
            tmp_path / "lake",
            "index_member_all",
            row | {"l1_name": "银行", "in_date": "20030101", "out_date": "20210730"},
            row | {"l1_name": "银行", "in_date": "20030101", "out_date": "20210730"},
            row | {"l1_name": "综合", "in_date": "20210730", "out_date": None},
        ),
        (None, None),
    )
    assert made.rows() == [
        ("600000.SH", "银行", "20030101", "20210729"),
        ("600000.SH", "综合", "20210730", None),
    ]


def test_weights_under_either_code_of_an_index_count_once(tmp_path):
    row = {"con_code": "600000.SH", "trade_date": "20190329", "weight": "1.5"}
    made = VIEWS["index_weight"].make(
        held(tmp_path / "lake", "index_weight", row | {"index_code": "000300.SH"}, row | {"index_code": "399300.SZ"}),
        (None, None),
    )
    assert made.rows() == [("000300.SH", "600000.SH", "20190329", "1.5")]


def test_months_without_weights_are_told(market, tmp_path):
    data = changed(market, "index_weight", lambda row: None if row["index_code"] == "000905.SH" else row)
    with tushare_server(data) as server:
        fetched = fetch_tushare(tmp_path / "lake", server, *DAYS, ("index_weight",))
    assert fetched.gaps == ["index_weight(end_date=20190331, index_code=000905.SH, start_date=20190301)"]


def statement(**more: str) -> dict[str, str]:
    keys = {"ts_code": "600000.SH", "ann_date": "20190301", "f_ann_date": "20190301", "end_date": "20181231"}
    return (
        keys | {"report_type": "1", "update_flag": "0", "revenue": "1", "oper_cost": "1", "n_income_attr_p": "1"} | more
    )


def test_every_version_of_a_statement_is_kept_by_its_actual_announcement(tmp_path):
    made = VIEWS["income"].make(
        held(
            tmp_path / "lake",
            "income_vip",
            statement(f_ann_date="20190410", revenue="9"),
            statement(report_type="5", revenue="7"),
            statement(report_type="4", f_ann_date="20200310", ann_date="20200310", revenue="8"),
            statement(f_ann_date="", ann_date="20190302", revenue="6"),
        ),
        (None, None),
    )
    assert made.select("f_ann_date", "revenue").rows() == [
        ("20190301", "7"),
        ("20190302", "6"),
        ("20190410", "9"),
        ("20200310", "8"),
    ]


def test_of_rows_of_one_announcement_the_updated_one_stands(tmp_path):
    view = VIEWS["income"].make(
        held(
            tmp_path / "lake",
            "income_vip",
            statement(update_flag="1", revenue="2"),
            statement(),
            statement(report_type="4"),
        ),
        (None, None),
    )
    assert view["revenue"].to_list()[-1] == "2"


def test_a_value_that_is_no_number_is_named(market, tmp_path):
    data = changed(market, "daily", lambda row: row | {"vol": "--"} if row["trade_date"] == "20190328" else row)
    with pytest.raises(DataError, match="column vol: '--' is no number"):
        daily_of(tmp_path / "lake", data)


def test_b_shares_and_funds_among_limits_and_halts_are_no_stocks(market, tmp_path):
    more = {"trade_date": "20190328", "suspend_timing": None, "suspend_type": "S"}
    rows = [*market.rows["suspend_d"], {"ts_code": "900901.SH", **more}, {"ts_code": "510300.SH", **more}]
    source = open_source(
        Settings(), tushare_lake(tmp_path / "lake", TushareData({**market.rows, "suspend_d": rows}), *DAYS)
    )
    made = source.fetch("daily", None, None)
    assert not made["symbol"].cast(pl.String).is_in(["900901.SH", "510300.SH"]).any()
    assert source.describe()["dropped"] == {
        "daily: rows of 2 symbols that are no A-shares (510300.SH, 900901.SH)": 2
    } or (sum(source.describe()["dropped"].values()) == 2)


def test_the_token_travels_encrypted_unless_asked_otherwise_and_nothing_else_is_sent(monkeypatch):
    assert wire.URL.startswith("https://")
    monkeypatch.setenv("TUSHARE_TOKEN", "0123456789abcdef")
    said: list[str] = []
    options: dict[str, Any] = {
        "token_file": None,
        "a_minute": None,
        "indices": (),
        "by_stock": False,
        "clock": FakeClock(),
    }
    open_vendor("tushare", url=None, tell=said.append, **options).close()
    assert said == []
    open_vendor("tushare", url="http://api.waditu.com/dataapi", tell=said.append, **options).close()
    assert "in clear" in said[0]


def test_a_lake_without_some_tables_makes_a_market_without_their_fields(market, tmp_path):
    source = open_source(
        Settings(), tushare_lake(tmp_path / "lake", market, *DAYS, ("daily", "adj_factor"), FakeClock(EVENING))
    )
    assert source.tables() == ("daily", "securities", "calendar")
    assert {"float_mv", "limit_up", "is_st", "is_suspended"}.isdisjoint(source.fetch("daily", None, None).columns)
    with pytest.raises(DataError, match="no answers of adj_factor"):
        open_source(Settings(), tushare_lake(tmp_path / "less", market, *DAYS, ("daily",), FakeClock(EVENING)))
