"""What Tushare's server, or the way to it, does wrong: each ends in another try or a clear stop, in no wrong row."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from deepfactor.core.errors import DataError, Unanswered, UserError
from deepfactor.lake._tushare import wire
from deepfactor.lake._tushare.calls import CALLS
from support.clock import FakeClock
from support.lakes import Listening, contents, fetch_tushare
from support.tushare_server import TOKEN, Fault, Question, Reply, tushare_server
from support.vendor_tushare import TushareData, simulated_tables, tushare_data

pytestmark = pytest.mark.slow
SPAN = date(2019, 3, 27), date(2019, 3, 29)
Does = Callable[[Reply], object]


@pytest.fixture(scope="module")
def data() -> TushareData:
    return tushare_data(simulated_tables(start=date(2019, 3, 11)))


@pytest.fixture(scope="module")
def clean(data: TushareData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the lake of an unbroken fetch holds."""
    path = tmp_path_factory.mktemp("clean") / "lake"
    with tushare_server(data) as server:
        fetch_tushare(path, server, *SPAN)
    return contents(path)


def at(api: str, does: Does, times: int = 1, number: int = 0, page: bool | None = None) -> Fault:
    """Do it at questions `number` and after of a call, `times` in all; `page` = at further pages alone."""
    done = 0

    def fault(question: Question, reply: Reply) -> bool:
        nonlocal done
        further = "offset" in question.params
        if question.api != api or question.number < number or done >= times or (page is not None and page != further):
            return False
        done += 1
        does(reply)
        return True

    return fault


def changed(change: Callable[[dict[str, object]], object]) -> Does:
    """Send the answer with its data changed."""

    def does(reply: Reply) -> None:
        change(reply.answer["data"])
        reply.json(reply.answer)

    return does


def code(number: int, words: str) -> Does:
    return lambda reply: reply.json({"code": number, "msg": words, "data": None})


def html(reply: Reply) -> None:
    reply.send(b"<html>busy</html>")


def cut_json(reply: Reply) -> None:
    reply.send(b'{"code": 0, "data": {"fields": ["ts_code"], "items": [["6000')


def half(reply: Reply) -> None:
    reply.send(b'{"code": 0, "data"', length=5000)
    reply.hang_up()


def redirect(reply: Reply) -> None:
    reply.handler.send_response(302)
    reply.handler.send_header("Location", "http://127.0.0.1:9/elsewhere")
    reply.handler.send_header("Content-Length", "0")
    reply.handler.end_headers()


def slow(reply: Reply) -> None:
    time.sleep(0.8)
    reply.hang_up()


def rename(data: dict[str, object]) -> None:
    data["fields"] = [{"vol": "volume"}.get(name, name) for name in data["fields"]]  # type: ignore[attr-defined]


def without(column: str) -> Callable[[dict[str, object]], None]:
    def change(data: dict[str, object]) -> None:
        k = data["fields"].index(column)  # type: ignore[attr-defined]
        data["fields"].pop(k)  # type: ignore[attr-defined]
        for row in data["items"]:  # type: ignore[attr-defined]
            row.pop(k)

    return change


def rows(change: Callable[[list[list[object]]], list[list[object]]]) -> Does:
    return changed(lambda data: data.update(items=change(data["items"])))  # type: ignore[arg-type]


def with_value(value: object) -> Does:
    return rows(lambda items: [[*items[0][:-1], value], *items[1:]])


def other_day(items: list[list[object]]) -> list[list[object]]:
    return [["20190101" if one == "20190328" else one for one in row] for row in items]


ALWAYS = 10**6
PASSES: dict[str, Fault] = {
    "HTTP 500": at("daily", lambda reply: reply.send(b"", 500)),
    "HTTP 500, five times": at("daily", lambda reply: reply.send(b"", 500), times=5),
    "HTTP 502 with a page": at("adj_factor", lambda reply: reply.send(b"<html>", 502)),
    "HTTP 408": at("daily", lambda reply: reply.send(b"", 408)),
    "HTTP 429": at("daily", lambda reply: reply.send(b"", 429)),
    "no answer in time": at("daily_basic", slow),
    "hang-up": at("daily", lambda reply: reply.hang_up()),
    "half a body": at("stk_limit", half),
    "a page of words": at("daily", html),
    "half of the JSON": at("daily", cut_json),
    "no data": at("daily", lambda reply: reply.json({"code": 0, "data": None})),
    "no code": at("daily", lambda reply: reply.json({"data": []})),
    "a list": at("daily", lambda reply: reply.json([1])),
    "code of a busy server": at("daily", code(-2001, "服务器繁忙，请稍后重试"), times=2),
    "too many a minute": at("daily", code(40203, "抱歉，您每分钟最多访问该接口50次，权限的具体详情访问：https://x")),
    "an empty trading day": at("daily", rows(lambda items: [])),
    "an empty day of factors": at("adj_factor", rows(lambda items: []), number=1),
    "rows twice": at("daily", rows(lambda items: items + items[:3])),
    "rows of another day": at("daily", rows(other_day), number=1),
    "a row with a value less": at("daily", rows(lambda items: [items[0][:-1], *items[1:]])),
    "infinity": at("daily", with_value(float("inf"))),
    "a table as a value": at("daily", with_value({"a": 1})),
    "true as a value": at("daily", with_value(True)),
    "half of the stocks": at("daily", rows(lambda items: items[: len(items) // 2])),
    "half of the factors": at("adj_factor", rows(lambda items: items[: len(items) // 2])),
    "a calendar with a gap": at("trade_cal", rows(lambda items: items[:1] + items[2:])),
    "a calendar that is neither open nor closed": at(
        "trade_cal", rows(lambda items: [[*items[0][:2], "x"], *items[1:]])
    ),
    "stocks of another state": at("stock_basic", rows(lambda items: [[*r[:3], "D", *r[4:]] for r in items])),
    "more than there is": at("daily", changed(lambda data: data.update(has_more=True, items=[]))),
}
STOPS: dict[str, tuple[Fault, type[Exception], str]] = {
    "HTTP 500 for ever": (at("daily", lambda reply: reply.send(b"", 500), ALWAYS), Unanswered, "HTTP 500"),
    "HTTP 404": (at("daily", lambda reply: reply.send(b"", 404)), UserError, "--url"),
    "HTTP 403": (at("trade_cal", lambda reply: reply.send(b"", 403)), UserError, "403"),
    "elsewhere": (at("daily", redirect), UserError, "302"),
    "hang-ups for ever": (at("daily", lambda reply: reply.hang_up(), ALWAYS), Unanswered, "RemoteProtocolError"),
    "an unknown code for ever": (at("daily", code(1, "内部错误"), ALWAYS), Unanswered, "内部错误"),
    "no more today": (at("daily", code(40203, "抱歉，您每天最多访问该接口2次"), ALWAYS), Unanswered, "每天最多"),
    "points": (at("daily", code(40203, "抱歉，您没有接口访问权限"), ALWAYS), UserError, "--tables"),
    "a lapsed token": (at("trade_cal", code(40101, "您的token不对"), ALWAYS), UserError, "lapsed"),
    "a trading day without rows": (at("daily", rows(lambda items: []), ALWAYS), Unanswered, "no rows"),
    "rows twice for ever": (at("daily", rows(lambda items: items * 2), ALWAYS), Unanswered, "come twice"),
    "half of the stocks for ever": (
        at("daily", rows(lambda items: items[: len(items) // 2]), ALWAYS),
        Unanswered,
        "daily of 2019-03-27 lacks",
    ),
    "a column less": (at("daily", changed(without("vol")), ALWAYS), DataError, "lacks vol"),
    "a column renamed": (at("daily", changed(rename), ALWAYS), DataError, "volume"),
    "no list of stocks": (at("stock_basic", rows(lambda items: []), ALWAYS), Unanswered, "stock_basic"),
}


@pytest.mark.parametrize("name", PASSES)
def test_what_passes_is_asked_again(name, data, clean, tmp_path):
    with tushare_server(data) as server:
        server.fault = PASSES[name]
        listening = Listening()
        fetch_tushare(tmp_path / "lake", server, *SPAN, whole=0.4, listening=listening)
    assert contents(tmp_path / "lake") == clean
    said = [line for line in listening.said if line.startswith("asked again")]
    assert said or "half" in name, "it is said"


@pytest.mark.parametrize("name", STOPS)
def test_what_stays_is_a_clear_stop(name, data, clean, tmp_path):
    """Nothing wrong is kept, and once the fault is gone the same command ends the work."""
    fault, kind, said = STOPS[name]
    with tushare_server(data) as server:
        server.fault = fault
        with pytest.raises(kind, match=said) as stop:
            fetch_tushare(tmp_path / "lake", server, *SPAN)
        assert TOKEN not in str(stop.value)
        assert stop.value.exit_code == (3 if kind is Unanswered else 2)  # type: ignore[attr-defined]
        held = contents(tmp_path / "lake")
        assert held.items() <= clean.items()
        server.fault = None
        fetch_tushare(tmp_path / "lake", server, *SPAN)
    assert contents(tmp_path / "lake") == clean


def test_all_tables_cut_alike_are_seen_by_the_list_of_stocks(data, tmp_path):
    def cut(question: Question, reply: Reply) -> bool:
        if question.api not in ("daily", "adj_factor", "daily_basic", "stk_limit"):
            return False
        reply.answer["data"]["items"] = sorted(reply.answer["data"]["items"], key=str)[:20]
        reply.json(reply.answer)
        return True

    with tushare_server(data) as server:
        server.fault = cut
        with pytest.raises(Unanswered, match="that are listed: it was cut short"):
            fetch_tushare(tmp_path / "lake", server, *SPAN)


@pytest.mark.parametrize("fault", ["the page again", "an empty page", "other columns"])
def test_further_pages(fault, data, clean, tmp_path):
    """The server gives 20 rows at once and says that there are more."""

    def pages(question: Question, reply: Reply) -> bool:
        items = data.rows[question.api]
        asked = [row for row in items if row.get("trade_date") == question.params.get("trade_date")]
        if question.api != "daily":
            return False
        first = int(question.params.get("offset", 0))
        reply.answer["data"]["items"] = reply.answer["data"]["items"][:20]
        reply.answer["data"]["has_more"] = first + 20 < len(asked)
        if first and question.number < 4:
            if fault == "the page again":
                before = data.answer(
                    "daily", {**question.params, "offset": str(first - 20)}, reply.answer["data"]["fields"]
                )
                reply.answer["data"]["items"] = before["items"][:20]
            elif fault == "an empty page":
                reply.answer["data"]["items"], reply.answer["data"]["has_more"] = [], True
            else:
                reply.answer["data"]["fields"] = reply.answer["data"]["fields"][::-1]
        reply.json(reply.answer)
        return True

    with tushare_server(data) as server:
        server.fault = pages
        fetch_tushare(tmp_path / "lake", server, *SPAN)
    assert contents(tmp_path / "lake") == clean


def test_no_more_is_not_believed_of_a_full_page(data, clean, tmp_path, monkeypatch):
    """``has_more: false`` beside a full page: the next page is asked for all the same."""
    small = replace(CALLS["daily"], page=20)
    monkeypatch.setattr(wire, "CALLS", {**CALLS, "daily": small})

    def say_no_more(question: Question, reply: Reply) -> bool:
        reply.answer["data"]["has_more"] = False
        return False

    with tushare_server(data) as server:
        server.fault = say_no_more
        fetch_tushare(tmp_path / "lake", server, *SPAN)
        assert any(one.params.get("offset") == "20" for one in server.asked if one.api == "daily")
    assert contents(tmp_path / "lake") == clean


def test_a_body_that_never_ends_is_given_up(data, tmp_path):
    class Ticking(FakeClock):
        def seconds(self) -> float:
            self.passed += 0.5
            return self.passed

    def drip(reply: Reply) -> None:
        reply.send(b"{", length=10**6)
        for _ in range(20):
            reply.handler.wfile.write(b" " * 1000)
            reply.handler.wfile.flush()
            time.sleep(0.01)

    with tushare_server(data) as server:
        server.fault = at("trade_cal", drip, ALWAYS)
        with pytest.raises(Unanswered, match="no whole answer within 2 s"):
            fetch_tushare(tmp_path / "lake", server, *SPAN, whole=2.0, clock=Ticking())


def test_nobody_there(data, tmp_path):
    with tushare_server(data) as server:
        pass
    with pytest.raises(Unanswered, match="ConnectError"):
        fetch_tushare(tmp_path / "lake", server, *SPAN)


def test_too_fast_waits_a_minute_and_goes_on_slower(data, tmp_path):
    clock = FakeClock()
    with tushare_server(data) as server:
        server.fault = at("daily", code(40203, "您每分钟最多访问该接口2次"))
        fetch_tushare(tmp_path / "lake", server, *SPAN, clock=clock)
    assert [wait for wait in clock.slept if wait > 50][:1] == [61.0]
    assert clock.passed > 100, "three days at two a minute"
