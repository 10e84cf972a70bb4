"""BaoStock on this machine: a server that speaks its frames, and does wrong what a test wants."""

from __future__ import annotations

import json
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deepfactor.lake._baostock.calls import CALLS, COMPRESSED
from support.vendor_baostock import BaoStockData

END = b"<![CDATA[]]>\n"


@dataclass
class Question:
    """What was asked: `number` counts the questions of this call, from 0."""

    api: str
    params: dict[str, str]
    page: int
    number: int


@dataclass
class Reply:
    """What can be done with the connection, and the usual answer: `kind` and `parts`."""

    handler: socketserver.StreamRequestHandler
    kind: str
    parts: list[str]

    def bytes(self, *, packed: bool | None = None, crc: int | None = None, length: int | None = None) -> bytes:
        """The frame of the answer; `crc`, `length` = what it says, if not the truth."""
        body = "\x01".join(self.parts).encode()
        body = zlib.compress(body) if (self.kind in COMPRESSED if packed is None else packed) else body
        head = f"00.9.40\x01{self.kind}\x01{len(body) if length is None else length:010d}".encode()
        return head + body + f"\x01{zlib.crc32(head + body) if crc is None else crc}".encode() + END

    def send(self, data: bytes) -> None:
        """As it is."""
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def rows(self, change: Callable[[list[list[Any]]], Any]) -> None:
        """Change the rows of the answer."""
        at = 6 if CALLS[self.parts[2]].paged else 4
        record = json.loads(self.parts[at])["record"]
        self.parts[at] = json.dumps({"record": change(record)}, ensure_ascii=False)


#: Does what it wants with a question: False = the usual answer; "hang up" = and no more; else the reply is its own.
Fault = Callable[[Question, Reply], "bool | str"]


@dataclass
class Server:
    """The running server; `asked` keeps every question, `fault` may answer one; `open` = connections now."""

    data: BaoStockData
    port: int = 0
    fault: Fault | None = None
    asked: list[Question] = field(default_factory=list)
    signed_in: int = 0
    open: int = 0
    most_open: int = 0

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def hears_of_the_end(self, seconds: float = 5.0) -> None:
        """Wait until connections that were closed are so for the server, too; one that is left open stays counted."""
        end = time.monotonic() + seconds
        while self.open and time.monotonic() < end:
            time.sleep(0.005)


@contextmanager
def baostock_server(data: BaoStockData) -> Iterator[Server]:
    """A server on a free port of this machine."""
    state = Server(data)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            state.open += 1
            state.most_open = max(state.most_open, state.open)
            try:
                while (line := self.rfile.readline()) and self._one(line):
                    pass
            except OSError:
                pass
            finally:
                state.open -= 1

        def _one(self, line: bytes) -> bool:
            text, crc = line[:-1].decode().rsplit("\x01", 1)
            assert int(crc) == zlib.crc32(text.encode())
            kind, parts = text[8:10], text[21:].split("\x01")
            assert int(text[11:21]) == len(text) - 21
            if kind == "00":
                state.signed_in += 1
                question, reply = Question("login", {"key": parts[3]}, 0, state.signed_in - 1), Reply(self, "01", [])
                reply.parts = ["0", "success", "login", "anonymous"]
            else:
                question, reply = self._question(kind, parts)
                state.asked.append(question)
            done = state.fault(question, reply) if state.fault is not None else False
            if done is False:
                reply.send(reply.bytes())
            return done != "hang up"

        def _question(self, kind: str, parts: Sequence[str]) -> tuple[Question, Reply]:
            call = CALLS[parts[0]]
            assert kind == call.asks
            page, given = (int(parts[2]), parts[4:]) if call.paged else (1, parts[2:])
            params = dict(zip(call.params, given, strict=True))
            question = Question(parts[0], params, page, sum(one.api == parts[0] for one in state.asked))
            columns, rows = state.data.answer(parts[0], params)
            size = state.data.page if call.paged else 20_000
            record = [[row.get(name, "") for name in columns] for row in rows[(page - 1) * size : page * size]]
            answer = ["0", "success", parts[0], "anonymous", *([str(page), str(size)] if call.paged else [])]
            answer.append(json.dumps({"record": record}, ensure_ascii=False))
            answer += [""] * (call.fields_at - len(answer)) + [", ".join(columns)]
            return question, Reply(self, call.answers, answer)

    class Threaded(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

        def handle_error(self, *args: object) -> None:
            """A client that went away."""

    server = Threaded(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
