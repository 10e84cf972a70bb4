"""One connection to BaoStock: signed in when first asked, made anew after whatever went wrong, never two at once."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

from deepfactor.core.errors import Unanswered, UserError
from deepfactor.lake._baostock.calls import CALLS, PAGE
from deepfactor.lake._baostock.frames import BadFrame, Frame, answer, is_whole, question
from deepfactor.lake.credentials import Secret
from deepfactor.lake.pace import Clock
from deepfactor.lake.request import Page, Passing, Request

ADDRESS, ADDRESS_WITH_KEY = ("public-api.baostock.com", 10030), ("vip-api.baostock.com", 10030)
_USER, _PASSWORD = "anonymous", "123456"
_SIGN_IN, _SIGNED_IN, _EXCEPTION = "00", "01", "04"
#: Seconds to connect, and for a whole answer.
_CONNECT, _WHOLE = 10.0, 60.0
_BLOCK = 1 << 16
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")
_NOT_SIGNED_IN, _TOO_MANY, _BLACK_LIST, _KEY_FORM = "10001001", "10001005", "10001011", "10001012"
#: Nothing that asking again changes: version, rights, activation, parameters.
_FOR_GOOD = ("10001002", "10001004", "10001006", "10001007", _KEY_FORM)
_PARAMETERS = "10004"
_LONG = 61.0


class BaoStockWire:
    """Asks BaoStock for pages; see `deepfactor.lake.live.Wire`. `key`: of an account that has one."""

    def __init__(
        self, clock: Clock, address: tuple[str, int] = ADDRESS, key: Secret | None = None, whole: float = _WHOLE
    ) -> None:
        self._clock, self._address, self._key, self._whole = clock, address, key, whole
        self._socket: socket.socket | None = None
        self._user = _USER

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def rows_a_page(self, request: Request) -> int | None:
        """Rows of a full page; calls that aren't paged give all."""
        return PAGE if CALLS[request.api].paged else 0

    def page(self, request: Request, number: int, first: int) -> Page:
        """The page `number`; see `Wire.page`. What goes wrong ends the connection: a late answer is no other's."""
        try:
            if self._socket is None:
                self._sign_in()
            call = CALLS[request.api]
            paging = [str(number), str(PAGE)] if call.paged else []
            parts = [request.api, self._user, *paging, *(request[name] for name in call.params)]
            frame = self._exchange(str(request), call.asks, parts)
            return self._read(request, number, frame)
        except BaseException:
            self.close()
            raise

    def _sign_in(self) -> None:
        try:
            self._socket = socket.create_connection(self._address, timeout=min(_CONNECT, self._whole))
        except OSError as error:
            raise Passing(f"no connection to {self._address[0]}: {error}") from None
        key = "0" if self._key is None else self._key.text
        frame = self._exchange("sign in", _SIGN_IN, ["login", _USER, _PASSWORD, key])
        self._require_good("sign in", frame, _SIGNED_IN)
        if len(frame.parts) < 4:
            raise Passing("sign in: the answer is too short")
        self._user = frame.parts[3] or _USER

    def _exchange(self, what: str, kind: str, parts: list[str]) -> Frame:
        """Send a question and take in its answer, as a whole and in time."""
        assert self._socket is not None
        begun, data = self._clock.seconds(), bytearray()
        try:
            self._socket.settimeout(self._whole)
            self._socket.sendall(question(kind, parts))
            while not is_whole(data):
                block = self._socket.recv(_BLOCK)
                if not block:
                    raise Passing(f"{what}: the server hung up after {len(data)} bytes")
                data += block
                if self._clock.seconds() - begun > self._whole:
                    raise Passing(f"{what}: no whole answer within {self._whole:g} s")
            return answer(bytes(data))
        except TimeoutError:
            raise Passing(f"{what}: no whole answer within {self._whole:g} s") from None
        except OSError as error:
            raise Passing(f"{what}: {error}") from None
        except BadFrame as error:
            raise Passing(f"{what}: the answer is no frame of BaoStock's: {error}") from None

    def _read(self, request: Request, number: int, frame: Frame) -> Page:
        """The rows of an answer, which must be one to this question."""
        call = CALLS[request.api]
        self._require_good(str(request), frame, call.answers)
        parts, at = frame.parts, 6 if call.paged else 4
        if len(parts) <= call.fields_at:
            raise Passing(f"{request}: the answer has {len(parts)} parts, wanted {call.fields_at + 1}")
        if parts[2] != request.api or (call.paged and parts[4] != str(number)):
            raise Passing(f"{request}: an answer to another question ({self._plain(parts[2])}, page {parts[4][:9]})")
        columns = tuple(name.strip() for name in parts[call.fields_at].split(",")) if parts[call.fields_at] else ()
        rows = _rows(str(request), parts[at])
        if any(len(row) != len(columns) for row in rows):
            raise Passing(f"{request}: a row has more or fewer values than there are columns")
        return Page(columns, rows, call.paged and len(rows) == PAGE)

    def _require_good(self, what: str, frame: Frame, kind: str) -> None:
        """Nothing where the answer is of the right type and its code is 0; else what to do about it."""
        if frame.kind not in (kind, _EXCEPTION):
            raise Passing(f"{what}: an answer of type {frame.kind}, wanted {kind}")
        code = frame.parts[0]
        if code == "0" and frame.kind == kind:
            return
        said = self._plain(frame.parts[1] if len(frame.parts) > 1 else "")
        words = f"{what}: BaoStock says: {said} (code {self._plain(code)})"
        if code == _BLACK_LIST:
            raise Unanswered(f"{words}. It bars who asks from several processes: end all but one, try again tomorrow")
        if code in _FOR_GOOD:
            raise UserError(words)
        if code.startswith(_PARAMETERS) and frame.kind == kind:
            raise UserError(f"{words}. It doesn't take the question: has the call changed?")
        raise Passing(words, wait=_LONG if code == _TOO_MANY else None)

    def _plain(self, text: str) -> str:
        """Words of others on one line, without the key."""
        text = _CONTROL.sub(" ", text)
        return (self._key.hidden(text) if self._key is not None else text)[:200]


def _rows(what: str, text: str) -> list[list[str | None]]:
    """Rows of JSON, whose values are text."""
    if not text.strip():
        return []
    try:
        record: Any = json.loads(text, strict=False)["record"]
        rows = [list(row) for row in record]
    except (ValueError, LookupError, TypeError) as error:
        raise Passing(f"{what}: its rows are no JSON ({type(error).__name__})") from None
    if not all(isinstance(value, str) for row in rows for value in row):
        raise Passing(f"{what}: a value is no text")
    return rows
