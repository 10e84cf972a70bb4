"""A real workbench on a port of this machine, and a client that sends addresses as they stand."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from deepfactor.cli.language import in_chinese
from deepfactor.workbench.app import application
from deepfactor.workbench.guard import Pass
from deepfactor.workbench.pages import Press
from deepfactor.workbench.server import listening, server
from deepfactor.workbench.shelf import Shelf


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Client:
    """One browser without a screen: it keeps cookies, and follows nothing."""

    allowed: Pass
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, address: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, form: object = None
    ) -> Answer:
        sent = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), **(headers or {})}
        body = None if form is None else urlencode(form)  # type: ignore[call-overload]
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection = http.client.HTTPConnection("127.0.0.1", self.allowed.port, timeout=120)
        try:
            connection.putrequest(method, address, skip_host="Host" in sent)
            for name, value in {**sent, **({"Content-Length": str(len(body))} if body is not None else {})}.items():
                connection.putheader(name, value)
            connection.endheaders(None if body is None else body.encode())
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("set-cookie") or ():
                name, _, value = cookie.split(";")[0].partition("=")
                self.cookies[name] = value
            given = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, given, answer.read().decode())
        finally:
            connection.close()

    def get(self, address: str, status: int = 200) -> str:
        """The page at an address, which has that status."""
        answer = self.ask(address)
        assert answer.status == status, (address, answer.status, answer.text[-2000:])
        return answer.text

    def post(self, address: str, status: int = 303, **form: str) -> Answer:
        """The answer to a form of the workbench's own."""
        answer = self.ask(address, method="POST", form={"form_token": self.allowed.form_token, **form})
        assert answer.status == status, (address, answer.status, answer.text[-2000:])
        return answer


@contextmanager
def served(runs: Path, market: Path, *, write: bool = False) -> Iterator[Client]:
    """A workbench, and a client that was let in."""
    with listening(0) as bound:
        allowed = Pass.new(bound.getsockname()[1])
        press = Press(allowed.form_token, write, chinese=in_chinese)
        running = server(application(Shelf(runs, market), allowed, press))
        thread = threading.Thread(target=running.run, args=([bound],))
        thread.start()
        try:
            end = time.monotonic() + 30
            while not running.started and time.monotonic() < end:
                time.sleep(0.02)
            client = Client(allowed)
            assert client.ask(allowed.link.removeprefix(allowed.origin)).status == 303
            yield client
        finally:
            running.should_exit = True
            thread.join(30)
