"""The verb `fetch`: what it asks and what it doesn't, killed at any moment, and that the token is nowhere."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from support.cli import PROGRAM, deepfactor, misused, refused
from support.clock import FakeClock
from support.lakes import PRICES, contents, fetch_tushare
from support.tushare_server import TOKEN, Question, Reply, Server, tushare_server
from support.vendor_tushare import TushareData, simulated_tables, tushare_data

SPAN = date(2019, 3, 20), date(2019, 3, 29)
KILLS = int(os.environ.get("DEEPFACTOR_KILLS", "3"))


@pytest.fixture(scope="module")
def data() -> TushareData:
    return tushare_data(simulated_tables(start=date(2019, 3, 11)))


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUSHARE_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def command(server: Server, lake: Path) -> list[str]:
    span = ("--since", str(SPAN[0]), "--until", str(SPAN[1]))
    return [
        "fetch",
        "tushare",
        str(lake),
        *span,
        "--tables",
        ",".join(PRICES),
        "--url",
        server.url,
        "--a-minute",
        "100000",
    ]


def test_what_is_there_is_not_asked_for_again(data, tmp_path):
    with tushare_server(data) as server:
        first = deepfactor(*command(server, tmp_path / "lake"), "--json").json()
        assert first["fetched"] == {**dict.fromkeys(PRICES, 8), "stock_basic": 3, "trade_cal": 1}
        asked = len(server.asked)
        second = deepfactor(*command(server, tmp_path / "lake"), "--json").json()
    assert second["fetched"] == {}
    assert len(server.asked) == asked
    assert second["answers"] == first["answers"] == 8 * 5 + 4


@pytest.mark.slow
def test_the_next_evening_asks_for_the_next_day_and_for_lists(data, tmp_path):
    lake = tmp_path / "lake"
    tables = (*PRICES, "namechange", "index_weight", "income")
    with tushare_server(data) as server:
        evening = FakeClock(datetime(2019, 3, 28, 10, 30, tzinfo=UTC))
        fetch_tushare(lake, server, SPAN[0], SPAN[1], tables, clock=evening)
        server.asked.clear()
        morning = FakeClock(datetime(2019, 3, 29, 2, tzinfo=UTC))
        assert fetch_tushare(lake, server, SPAN[0], SPAN[1], tables, clock=morning).answers == {}
        assert server.asked == [], "nothing is settled since"
        evening = FakeClock(datetime(2019, 3, 29, 10, 30, tzinfo=UTC))
        fetched = fetch_tushare(lake, server, SPAN[0], SPAN[1], tables, clock=evening).answers
    assert {name: fetched[name] for name in PRICES} == dict.fromkeys(PRICES, 1)
    assert fetched["stock_basic"] == 3
    assert fetched["namechange"] == 1
    assert fetched["income_vip"] == 3, "the newest quarter alone, of each type"


def test_weights_of_a_month_are_asked_again_until_they_must_be_out(data, tmp_path):
    lake = tmp_path / "lake"
    with tushare_server(data) as server:
        asked = {}
        for day in (2, 19, 22, 23):
            clock = FakeClock(datetime(2019, 4, day, 10, 30, tzinfo=UTC))
            fetched = fetch_tushare(lake, server, SPAN[0], SPAN[1], ("index_weight",), clock=clock)
            asked[day] = fetched.answers.get("index_weight", 0)
    assert asked[2] == asked[19] == 4, "three indices and Shenzhen's code of CSI 300"
    assert asked[23] == 0


@pytest.mark.slow
def test_what_is_asked(data, tmp_path):
    """Delisted stocks, old industries, restated statements and full-day halts don't come by themselves."""
    tables = (*PRICES, "index_member_all", "income", "balancesheet")
    with tushare_server(data) as server:
        fetch_tushare(tmp_path / "lake", server, *SPAN, tables)
        fetch_tushare(tmp_path / "stocks", server, *SPAN, ("income",), by_stock=True)
    asked = {(one.api, *sorted(one.params.items())) for one in server.asked}
    told = {name: {dict(one[1:]).get(name) for one in asked} for name in ("list_status", "is_new", "report_type")}
    assert told["list_status"] >= {"L", "D", "P"}
    assert told["is_new"] >= {"Y", "N"}
    assert told["report_type"] >= {"1", "4", "5"}
    assert {dict(one[1:]).get("suspend_type") for one in asked if one[0] == "suspend_d"} == {"S"}
    assert {dict(one[1:]).get("exchange") for one in asked if one[0] == "trade_cal"} == {"SSE"}
    stocks = {row["ts_code"] for row in data.rows["stock_basic"]}
    assert {dict(one[1:])["ts_code"] for one in asked if one[0] == "income"} == stocks


def test_every_column_is_asked_for_by_name(data, tmp_path):
    fields: dict[str, str] = {}

    def note(question: Question, reply: Reply) -> bool:
        fields[question.api] = ",".join(reply.answer["data"]["fields"])
        return False

    with tushare_server(data) as server:
        server.fault = note
        fetch_tushare(tmp_path / "lake", server, *SPAN)
    assert "delist_date" in fields["stock_basic"], "else survivorship enters"
    assert "is_open" in fields["trade_cal"]


@pytest.mark.slow
def test_killed_at_any_moment_the_lake_is_as_an_unbroken_one(data, tmp_path):
    lake, moments = tmp_path / "lake", random.Random(7)
    with tushare_server(data) as server:
        assert deepfactor(*command(server, tmp_path / "unbroken")).code == 0
        running: list[subprocess.Popen[bytes]] = []
        at = [0]

        def kill(question: Question, reply: Reply) -> bool:
            at[0] -= 1
            if at[0] == 0:
                running[-1].send_signal(signal.SIGKILL)
            return False

        server.fault = kill
        for _ in range(KILLS):
            at[0] = moments.randint(1, 30)
            environment = os.environ | {"TUSHARE_TOKEN": TOKEN}
            running.append(
                subprocess.Popen([str(PROGRAM), *command(server, lake)], env=environment, stderr=subprocess.DEVNULL)
            )
            running[-1].wait(timeout=120)
            if (lake / "lake.json").exists():
                assert contents(lake).items() <= contents(tmp_path / "unbroken").items()
        server.fault = None
        assert deepfactor(*command(server, lake)).code == 0
    assert contents(lake) == contents(tmp_path / "unbroken")
    named = {json.loads(line)["part"] for line in (lake / "answers.jsonl").read_text().splitlines()}
    there = {file.relative_to(lake).as_posix() for file in (lake / "answers").rglob("*") if file.is_file()}
    assert there == named, "no file is left over"


def test_the_token_is_in_no_message_log_or_file(data, tmp_path, monkeypatch):
    def echo(question: Question, reply: Reply) -> bool:
        reply.json({"code": 40101, "msg": f"您的token不对 {TOKEN}\r\n\x1b[31m", "data": None})
        return True

    with tushare_server(data) as server:
        ended = [deepfactor(*command(server, tmp_path / "lake"), "--json")]
        server.fault = echo
        ended.append(deepfactor(*command(server, tmp_path / "other")))
        monkeypatch.setenv("TUSHARE_TOKEN", "a-wrong-token-of-someone")
        server.fault = None
        ended.append(deepfactor(*command(server, tmp_path / "third")))
    assert [one.code for one in ended] == [0, 2, 2]
    assert "***" in refused(ended[1], "Is the token right")
    assert "a-wrong-token" not in ended[2].err + ended[2].out
    assert TOKEN not in "".join(one.out + one.err for one in ended)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()


def test_wrong_words(data, tmp_path, monkeypatch):
    lake = tmp_path / "lake"
    since = ("--since", "2019-03-20")
    refused(deepfactor("fetch", "akshare", lake, *since), "akshare", "tushare")
    refused(deepfactor("fetch", "tushare", lake, *since, "--tables", "dayly"), "dayly", "daily")
    refused(deepfactor("fetch", "tushare", lake, "--since", "2099-01-01"), "--since")
    misused(deepfactor("fetch", "tushare", lake))
    refused(deepfactor("fetch", "tushare", lake, *since, "--url", "nonsense"), "--url")
    monkeypatch.delenv("TUSHARE_TOKEN")
    refused(deepfactor("fetch", "tushare", lake, *since), "TUSHARE_TOKEN")
    loose = tmp_path / "token"
    loose.write_text(TOKEN)
    loose.chmod(0o644)
    refused(deepfactor("fetch", "tushare", lake, *since, "--token-file", loose), "mode 644")
    assert not (lake / "answers").exists()


def test_a_table_that_is_said_to_have_gaps_may_have_none(data, tmp_path):
    thin = TushareData({**data.rows, "stk_limit": [r for r in data.rows["stk_limit"] if r["trade_date"] > "20190325"]})
    with tushare_server(thin) as server:
        stopped = deepfactor(*command(server, tmp_path / "lake")[:-2], "--a-minute", 10**6, "--until", "2019-03-20")
        assert stopped.code == 3
        taken = deepfactor(*command(server, tmp_path / "lake"), "--may-be-empty", "stk_limit", "--json")
    assert taken.json()["gaps"][0] == "stk_limit(trade_date=20190320)"
    assert "4 answers have no rows" in taken.err


def test_check_finds_damage_in_a_lake(data, tmp_path):
    with tushare_server(data) as server:
        assert deepfactor(*command(server, tmp_path / "lake")).code == 0
    whole = deepfactor("check", tmp_path / "lake", "--json").json()
    assert (whole["errors"], whole["findings"]) == (0, [])
    part = next((tmp_path / "lake" / "answers" / "daily").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    found = deepfactor("check", tmp_path / "lake")
    assert found.code == 2
    assert part.name in found.out
    refused(deepfactor("ingest", "tushare", tmp_path / "market", "--folder", tmp_path / "lake"), part.name)


def test_days_since_are_counted_from_the_calendar(data, tmp_path):
    with tushare_server(data) as server:
        fetch_tushare(tmp_path / "lake", server, SPAN[0], SPAN[0] + timedelta(days=5))
    days = {one.params["trade_date"] for one in server.asked if "trade_date" in one.params}
    assert days == {"20190320", "20190321", "20190322", "20190325"}, "no weekend is asked for"
