"""What BaoStock's server, or the way to it, does wrong: each ends in another try or a clear stop, in no wrong row."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from deepfactor.core.errors import DataError, Unanswered, UserError
from deepfactor.lake._baostock.calls import BARS, DAY
from deepfactor.lake._baostock.wire import BaoStockWire
from support.baostock_server import Fault, Question, Reply, Server, baostock_server
from support.cli import PROGRAM, deepfactor, refused
from support.clock import FakeClock
from support.lakes import Listening, baostock_lake, contents
from support.vendor_baostock import BaoStockData, baostock_data
from support.vendor_tushare import simulated_tables

pytestmark = pytest.mark.slow
SPAN = date(2019, 3, 18), date(2019, 3, 29)
TABLES = (BARS, "query_adjust_factor", "query_hs300_stocks")
EVENINGS = datetime(2019, 3, 27, 11, tzinfo=UTC), datetime(2019, 3, 29, 11, tzinfo=UTC)
Does = Callable[[Reply], Any]
ALWAYS = 10**6
KILLS = int(os.environ.get("DEEPFACTOR_KILLS", "2"))


@pytest.fixture(scope="module")
def data() -> BaoStockData:
    return baostock_data(simulated_tables(stocks=50, start=date(2019, 3, 11)))


def fetch_both_evenings(path: Path, server: Server, listening: Listening | None = None, **wire: Any) -> None:
    """Stock by stock on the first evening, whole days on the second."""
    for evening in EVENINGS:
        clock = FakeClock(evening)
        made = BaoStockWire(clock, ("127.0.0.1", server.port), **wire)
        try:
            baostock_lake(path, made, *SPAN, TABLES, clock, listening)
        finally:
            made.close()
        server.hears_of_the_end()


@pytest.fixture(scope="module")
def clean(data: BaoStockData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("clean") / "lake"
    with baostock_server(data) as server:
        fetch_both_evenings(path, server)
        assert server.most_open == 1, "one connection at a time"
    return contents(path)


def at(api: str, does: Does, times: int = 1, number: int = 0) -> Fault:
    """Do it at questions `number` and after of a call, `times` in all."""
    done = 0

    def fault(question: Question, reply: Reply) -> bool | str:
        nonlocal done
        if question.api != api or question.number < number or done >= times:
            return False
        done += 1
        ended = does(reply)
        if ended != "hang up":
            reply.send(reply.bytes()) if ended is None else reply.send(ended)
        return ended if ended == "hang up" else True

    return fault


def code(number: str, words: str) -> Does:
    def does(reply: Reply) -> None:
        reply.parts = [number, words]

    return does


def part(number: int, value: str) -> Does:
    def does(reply: Reply) -> None:
        reply.parts[number] = value

    return does


def rows(change: Callable[[list[list[Any]]], Any]) -> Does:
    return lambda reply: reply.rows(change)


def kind(value: str) -> Does:
    def does(reply: Reply) -> None:
        reply.kind = value

    return does


def half(reply: Reply) -> str:
    data = reply.bytes()
    reply.send(data[: len(data) // 2])
    return "hang up"


def no_end(reply: Reply) -> str:
    reply.send(reply.bytes()[:-3])
    time.sleep(0.7)
    return "hang up"


def slow(reply: Reply) -> str:
    time.sleep(0.7)
    return "hang up"


def garbage(reply: Reply) -> bytes:
    data = bytearray(reply.bytes())
    data[25:60] = bytes(35)
    return bytes(data)


def exception(reply: Reply) -> None:
    reply.kind, reply.parts = "04", ["10005001", "系统级别错误"]


def other_answer(reply: Reply) -> None:
    reply.parts[2] = "query_sz50_stocks"


PASSES: dict[str, Fault] = {
    "hang-up": at(BARS, lambda reply: "hang up"),
    "hang-up, five times": at(BARS, lambda reply: "hang up", times=5),
    "hang-up at signing in": at("login", lambda reply: "hang up"),
    "half a frame": at(BARS, half),
    "half a frame that isn't packed": at("query_stock_basic", half),
    "no end of a frame": at(BARS, no_end),
    "no answer in time": at("query_adjust_factor", slow),
    "a wrong checksum": at(BARS, lambda reply: reply.bytes(crc=7)),
    "a wrong checksum of a day": at(DAY, lambda reply: reply.bytes(crc=7)),
    "a wrong length": at("query_stock_basic", lambda reply: reply.bytes(length=30)),
    "garbage in what is packed": at(BARS, garbage),
    "not packed": at(DAY, lambda reply: reply.bytes(packed=False)),
    "another protocol": at(BARS, lambda reply: b"HTTP/1.1 400 Bad Request\r\n\r\n<![CDATA[]]>\n"),
    "an answer of another type": at(BARS, kind("99")),
    "an answer to another question": at("query_hs300_stocks", other_answer),
    "an answer to another page": at(BARS, part(4, "2")),
    "no rows of JSON": at(BARS, part(6, '{"record": [["2019')),
    "no record": at(BARS, part(6, "{}")),
    "numbers in the place of text": at(BARS, rows(lambda record: [[1.5, *record[0][1:]], *record[1:]])),
    "a row with a value less": at(DAY, rows(lambda record: [record[0][:-1], *record[1:]])),
    "an exception": at(BARS, exception),
    "not signed in": at(BARS, code("10001001", "用户未登陆"), times=2),
    "a fault of the network behind it": at(BARS, code("10002007", "网络接收错误")),
    "too many signed in": at("login", code("10001005", "账号登陆数达到上限")),
    "rows of another stock": at(BARS, rows(lambda record: [[r[0], "sh.600999", *r[2:]] for r in record])),
    "days twice": at(BARS, rows(lambda record: record + record[-2:])),
    "a day less": at(BARS, rows(lambda record: record[:3] + record[4:])),
    "the last day less": at(BARS, rows(lambda record: record[:-1])),
    "no days": at(BARS, rows(lambda record: [])),
    "adjusted prices": at(BARS, rows(lambda record: [[*r[:9], "1", *r[10:]] for r in record])),
    "a day without rows": at(DAY, rows(lambda record: [])),
    "half of a day": at(DAY, rows(lambda record: record[::2])),
    "stocks of a day twice": at(DAY, rows(lambda record: record * 2)),
    "rows of another day": at(DAY, rows(lambda record: [["2019-03-26", *r[1:]] for r in record])),
    "a calendar with a gap": at("query_trade_dates", rows(lambda record: record[:2] + record[3:])),
    "a list of later": at("query_hs300_stocks", rows(lambda record: [["2019-12-31", *r[1:]] for r in record])),
    "an empty list": at("query_hs300_stocks", rows(lambda record: [])),
}
STOPS: dict[str, tuple[Fault, type[Exception], str]] = {
    "hang-ups for ever": (at(BARS, lambda reply: "hang up", ALWAYS), Unanswered, "hung up"),
    "a page that fails for ever": (at(BARS, code("10005001", "系统级别错误"), ALWAYS), Unanswered, "10005001"),
    "the black list": (at("login", code("10001011", "黑名单用户"), ALWAYS), Unanswered, "several processes"),
    "an old version": (at("login", code("10001004", "客户端版本号过期"), ALWAYS), UserError, "10001004"),
    "no rights": (at(BARS, code("10001006", "用户权限不足"), ALWAYS), UserError, "10001006"),
    "parameters that aren't taken": (
        at(BARS, code("10004012", "无效的指标"), ALWAYS),
        UserError,
        "has the call changed",
    ),
    "a column renamed": (
        at(BARS, lambda reply: part(8, reply.parts[8].replace("isST", "st"))(reply)),
        DataError,
        "isST",
    ),
    "a column of a day renamed": (
        at(DAY, lambda reply: part(5, reply.parts[5].replace("preclose", "pre"))(reply)),
        DataError,
        "preclose",
    ),
    "a trading day without rows": (at(DAY, rows(lambda record: []), ALWAYS), Unanswered, "no rows"),
    "half of a day for ever": (at(DAY, rows(lambda record: record[::2]), ALWAYS), Unanswered, "fewer than"),
    "wrong checksums for ever": (at(DAY, lambda reply: reply.bytes(crc=7), ALWAYS), Unanswered, "checksum"),
}


@pytest.mark.parametrize("name", PASSES)
def test_what_passes_is_asked_again(name, data, clean, tmp_path):
    with baostock_server(data) as server:
        server.fault = PASSES[name]
        listening = Listening()
        fetch_both_evenings(tmp_path / "lake", server, listening, whole=0.3)
    assert contents(tmp_path / "lake") == clean
    assert any(line.startswith("asked again") for line in listening.said)


@pytest.mark.parametrize("name", STOPS)
def test_what_stays_is_a_clear_stop(name, data, clean, tmp_path):
    fault, kind_of, said = STOPS[name]
    with baostock_server(data) as server:
        server.fault = fault
        with pytest.raises(kind_of, match=said) as stop:
            fetch_both_evenings(tmp_path / "lake", server)
        assert stop.value.exit_code == (3 if kind_of is Unanswered else 2)  # type: ignore[attr-defined]
        assert contents(tmp_path / "lake").items() <= clean.items()
        server.fault = None
        fetch_both_evenings(tmp_path / "lake", server)
    assert contents(tmp_path / "lake") == clean


def test_a_failed_second_page_is_no_end_of_the_history(data, clean, tmp_path, monkeypatch):
    """The vendor's own package takes a page that fails for the end, and the history for whole."""
    from deepfactor.lake._baostock import wire

    def second(question: Question, reply: Reply) -> bool:
        if question.api == BARS and question.page == 2 and question.number < 4:
            reply.parts = ["10002007", "网络接收错误"]
            reply.send(reply.bytes())
            return True
        return False

    monkeypatch.setattr(wire, "PAGE", 4)
    small = BaoStockData(data.rows, data.bars, page=4)
    with baostock_server(small) as server:
        server.fault = second
        fetch_both_evenings(tmp_path / "lake", server)
        assert max(one.page for one in server.asked if one.api == BARS) >= 2
    assert contents(tmp_path / "lake") == clean


def test_a_late_answer_is_not_taken_for_the_next(data, clean, tmp_path):
    """After a time-out the connection is made anew: what comes late on the old one goes nowhere."""

    def late(reply: Reply) -> None:
        time.sleep(0.5)

    with baostock_server(data) as server:
        server.fault = at(BARS, late, times=2)
        fetch_both_evenings(tmp_path / "lake", server, whole=0.3)
        assert server.signed_in >= 3
    assert contents(tmp_path / "lake") == clean


def test_nobody_there(data, tmp_path):
    with baostock_server(data) as server:
        pass
    with pytest.raises(Unanswered, match="no connection"):
        fetch_both_evenings(tmp_path / "lake", server)


def test_the_verb_and_the_key(data, tmp_path, monkeypatch):
    """Without a key as a guest; a key is sent and shown nowhere."""
    until = ("--since", "2019-03-18", "--until", "2019-03-29", "--tables", ",".join(TABLES))
    key = "bs-0123456789abcdefghijklmnopqrst"
    with baostock_server(data) as server:
        keys: list[str] = []

        def note(question: Question, reply: Reply) -> bool:
            if question.api == "login":
                keys.append(question.params["key"])
            return False

        server.fault = note
        how = (*until, "--url", server.url, "--a-minute", 10**6)
        assert deepfactor("fetch", "baostock", tmp_path / "lake", *how).code == 0
        monkeypatch.setenv("BAOSTOCK_API_KEY", key)
        assert deepfactor("fetch", "baostock", tmp_path / "other", *how, "--json").json()["rows"] > 0
        server.fault = lambda question, reply: code("10001012", f"APIKey格式不正确 {key}")(reply) or False
        said = deepfactor("fetch", "baostock", tmp_path / "third", *how)
    assert keys == ["0", key]
    assert key not in refused(said, "10001012")
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or key.encode() not in file.read_bytes()
    refused(deepfactor("fetch", "baostock", tmp_path / "lake", *until, "--url", "http://x"), "--url")


def test_killed_at_any_moment_the_lake_is_as_an_unbroken_one(data, tmp_path):
    def command(path: Path) -> list[str]:
        span = ("--since", str(SPAN[0]), "--until", str(SPAN[1]), "--tables", ",".join(TABLES))
        return ["fetch", "baostock", str(path), *span, "--url", server.url, "--a-minute", "1000000"]

    lake, moments = tmp_path / "lake", random.Random(11)
    with baostock_server(data) as server:
        assert deepfactor(*command(tmp_path / "unbroken")).code == 0
        whole, asked = contents(tmp_path / "unbroken"), len(server.asked)
        running: list[subprocess.Popen[bytes]] = []
        at_question = [0]

        def kill(question: Question, reply: Reply) -> bool:
            at_question[0] -= 1
            if at_question[0] == 0:
                running[-1].send_signal(signal.SIGKILL)
            return False

        server.fault = kill
        for _ in range(KILLS):
            at_question[0] = moments.randint(1, asked)
            running.append(subprocess.Popen([str(PROGRAM), *command(lake)], stderr=subprocess.DEVNULL))
            running[-1].wait(timeout=120)
            if (lake / "lake.json").exists():
                assert contents(lake).items() <= whole.items()
        server.fault = None
        assert deepfactor(*command(lake)).code == 0
    assert contents(lake) == whole
    named = {json.loads(line)["part"] for line in (lake / "answers.jsonl").read_text().splitlines()}
    there = {file.relative_to(lake).as_posix() for file in (lake / "answers").rglob("*") if file.is_file()}
    assert there == named, "no file is left over"
