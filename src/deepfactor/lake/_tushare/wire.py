"""One page of Tushare's: an HTTP POST of JSON, and what its answer means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import httpx

from deepfactor.core.errors import Unanswered, UserError
from deepfactor.lake._tushare.calls import CALLS
from deepfactor.lake.credentials import Secret
from deepfactor.lake.pace import Pace
from deepfactor.lake.request import Page, Passing, Request

URL = "https://api.waditu.com/dataapi"
#: Seconds to connect, and for a whole answer; bytes of one at most.
_CONNECT, _WHOLE, _MOST_BYTES = 10.0, 90.0, 1 << 28
_A_MINUTE = 61.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")
#: What messages say, in the vendor's words: too fast, too many today, not allowed, wrong token.
_FAST = re.compile(r"每分钟最多访问.*?(\d+)\s*次")
_TODAY = re.compile(r"每(天|日|小时)最多访问")
_POINTS = re.compile(r"没有.*?权限|积分|权限不足|无权")
_TOKEN = re.compile(r"(?i)token")


class TushareWire:
    """Asks Tushare for pages; see `deepfactor.lake.live.Wire`. `pace` is slowed where the vendor says so."""

    def __init__(self, token: Secret, pace: Pace, url: str = URL, whole: float = _WHOLE) -> None:
        self._token, self._pace, self._url, self._whole = token, pace, url.rstrip("/"), whole
        timeout = httpx.Timeout(min(whole, _CONNECT), read=whole)
        self._client = httpx.Client(timeout=timeout, follow_redirects=False)

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def rows_a_page(self, request: Request) -> int | None:
        """Rows of a full page."""
        return CALLS[request.api].page

    def page(self, request: Request, number: int, first: int) -> Page:
        """Rows from `first` on; see `Wire.page`."""
        page = self.rows_a_page(request)
        params = dict(request.params) | ({"offset": str(first)} if number > 1 else {})
        params |= {"limit": str(page)} if page else {}
        body = {
            "api_name": request.api,
            "token": self._token.text,
            "params": params,
            "fields": CALLS[request.api].fields(),
        }
        return self._read(request, self._post(request, body))

    def _post(self, request: Request, body: Mapping[str, object]) -> bytes:
        """The body of the vendor's answer, where the server gives one."""
        try:
            with self._client.stream("POST", f"{self._url}/{request.api}", json=body) as reply:
                if reply.status_code == httpx.codes.OK:
                    return self._within(request, reply)
                status = reply.status_code
        except httpx.TimeoutException:
            raise Passing(f"{request}: no answer within {self._whole:g} s") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise UserError("--url is no address such as https://api.waditu.com/dataapi") from None
        except httpx.HTTPError as error:
            raise Passing(f"{request}: {type(error).__name__}: {self._plain(str(error))}") from None
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise Passing(f"{request}: HTTP 429, asked too often", wait=_A_MINUTE)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
            raise Passing(f"{request}: HTTP {status}")
        raise UserError(f"{request}: the server answers HTTP {status}: is --url right?")

    def _within(self, request: Request, reply: httpx.Response) -> bytes:
        """The whole body, unless it takes too long or never ends."""
        begun, data = self._pace.clock.seconds(), bytearray()
        for block in reply.iter_bytes():
            data += block
            if len(data) > _MOST_BYTES:
                raise Passing(f"{request}: an answer of more than {_MOST_BYTES >> 20} MB")
            if self._pace.clock.seconds() - begun > self._whole:
                raise Passing(f"{request}: no whole answer within {self._whole:g} s")
        return bytes(data)

    def _read(self, request: Request, data: bytes) -> Page:
        """The rows; numbers stay the text that they are."""
        try:
            answer = json.loads(data, parse_int=str, parse_float=str, parse_constant=_no_number)
            code = str(answer["code"])
            if code != "0":
                raise self._refused(request, code, str(answer.get("msg")))
            held = answer["data"]
            columns, rows = tuple(map(str, held["fields"])), [[_text(v) for v in row] for row in held["items"]]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Passing(f"{request}: no answer of Tushare's ({type(error).__name__})") from None
        if any(len(row) != len(columns) for row in rows):
            raise Passing(f"{request}: a row has more or fewer values than there are columns")
        more = held.get("has_more")
        return Page(columns, rows, more if isinstance(more, bool) else None)

    def _refused(self, request: Request, code: str, said: str) -> Exception:
        """What to do about an answer whose code isn't 0."""
        words = f"{request}: Tushare says: {self._plain(said)} (code {code})"
        if fast := _FAST.search(said):
            self._pace.slower(request.api, int(fast[1]))
            return Passing(words, wait=_A_MINUTE)
        if _TODAY.search(said):
            return Unanswered(
                f"{words}. What was fetched is kept: the same command goes on when calls are allowed again"
            )
        if _POINTS.search(said):
            return UserError(f"{words}. The account's points don't allow {request.api}: leave it out by --tables")
        if _TOKEN.search(said):
            return UserError(f"{words}. Is the token right, and not lapsed?")
        return Passing(words)

    def _plain(self, text: str) -> str:
        """Words of others on one line, without the token."""
        return self._token.hidden(_CONTROL.sub(" ", text))[:200]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"a value is {type(value).__name__}")


def _no_number(name: str) -> str | None:
    """NaN stands for missing in some answers; infinity is no value."""
    if name == "NaN":
        return None
    raise ValueError(name)
