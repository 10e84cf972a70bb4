"""Tushare on this machine: a server that answers as it does, and does wrong what a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.vendor_tushare import TushareData

TOKEN = "0123456789abcdef-a-token"


@dataclass
class Question:
    """What was asked: `number` counts the questions of this call, from 0."""

    api: str
    params: dict[str, str]
    number: int


#: Does what it wants with a question: None = the usual answer; else the reply is its own.
Fault = Callable[[Question, "Reply"], bool]


@dataclass
class Reply:
    """What can be done with the connection."""

    handler: BaseHTTPRequestHandler
    answer: dict[str, Any]

    def send(self, body: bytes, status: int = 200, length: int | None = None) -> None:
        """A whole reply; `length` = what its head says, if not the truth."""
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", "application/json")
        self.handler.send_header("Content-Length", str(len(body) if length is None else length))
        self.handler.end_headers()
        self.handler.wfile.write(body)
        self.handler.wfile.flush()

    def json(self, content: Any) -> None:
        """A reply of JSON."""
        self.send(json.dumps(content, ensure_ascii=False).encode())

    def hang_up(self) -> None:
        """No more."""
        self.handler.close_connection = True
        self.handler.connection.close()


@dataclass
class Server:
    """The running server; `asked` keeps every question, `fault` may answer one."""

    data: TushareData
    url: str = ""
    fault: Fault | None = None
    asked: list[Question] = field(default_factory=list)
    delay: float = 0.0


@contextmanager
def tushare_server(data: TushareData) -> Iterator[Server]:
    """A server on a free port of this machine."""
    state = Server(data)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize, disable_nagle_algorithm = 1 << 16, True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            api, params = asked["api_name"], asked["params"]
            question = Question(api, params, sum(one.api == api for one in state.asked))
            state.asked.append(question)
            if state.delay:
                time.sleep(state.delay)
            reply = Reply(self, {"request_id": "x", "code": 0, "msg": ""})
            if asked["token"] != TOKEN:
                reply.json({"code": 40101, "msg": f"您的token不对，请确认：{asked['token']}", "data": None})
                return
            reply.answer["data"] = state.data.answer(api, params, asked["fields"].split(","))
            if state.fault is None or not state.fault(question, reply):
                reply.json(reply.answer)

        def log_message(self, *args: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/dataapi"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
