"""Who is let in: a browser on this machine that has the link. Everything else gets 403, whatever it asks for."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What a page may load: what this server gives, and nothing else. Plotly sets styles of its own.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
METHODS = ("GET", "HEAD", "POST")


@dataclass(frozen=True)
class Pass:
    """What lets a browser in: the `token` of the link, kept as a cookie; forms bring one made of it, too."""

    token: str
    port: int

    @classmethod
    def new(cls, port: int) -> Pass:
        """A token that nobody can guess."""
        return cls(secrets.token_urlsafe(24), port)

    @property
    def origin(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """The address that lets a browser in."""
        return f"{self.origin}/?{urlencode({'token': self.token})}"

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers keep one jar for all ports."""
        return f"deepfactor-{self.port}"

    @property
    def form_token(self) -> str:
        """What a form brings: a page of someone else's can send the cookie along, but doesn't know this."""
        return hmac.new(self.token.encode(), b"form", hashlib.sha256).hexdigest()

    def hosts(self) -> tuple[str, ...]:
        """Names of this server: a foreign name that was made to lead here (DNS rebinding) is none."""
        return tuple(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]"))

    def allows(self, token: str | None) -> bool:
        """Compared in constant time."""
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def allows_form(self, token: str | None) -> bool:
        """The same for a form."""
        return token is not None and hmac.compare_digest(token.encode(), self.form_token.encode())


class Guard:
    """The outermost layer: host, method, origin, token; and headers on every answer."""

    def __init__(self, app: ASGIApp, allowed: Pass) -> None:
        self.app, self.allowed = app, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._answer(scope)
        await (self.app if answer is None else answer)(scope, receive, sealed)

    def _answer(self, scope: Scope) -> Response | None:
        """What is said instead of the page; None where it is let through."""
        headers = Headers(scope=scope)
        if headers.get("host") not in self.allowed.hosts():
            return _refused("this host name is not the workbench's: take the link that deepfactor serve printed")
        if scope["method"] not in METHODS:
            return PlainTextResponse("method not allowed\n", 405, {"Allow": ", ".join(METHODS)})
        if scope["method"] == "POST" and headers.get("origin", self._own(headers)) != self._own(headers):
            return _refused("a form of another page")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if given is not None:
            return self._entered(scope, query) if self.allowed.allows(given) else _refused()
        kept = cookie_parser(headers.get("cookie", "")).get(self.allowed.cookie)
        return None if self.allowed.allows(kept) else _refused()

    def _entered(self, scope: Scope, query: list[tuple[str, str]]) -> Response:
        """The link: its token becomes a cookie, and leaves the address."""
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        raw = scope.get("raw_path") or b"/"
        path = "/" + raw.decode("latin-1").lstrip("/\\")  # no other host's address
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        answer.set_cookie(self.allowed.cookie, self.allowed.token, httponly=True, samesite="strict")
        return answer

    @staticmethod
    def _own(headers: Headers) -> str:
        return f"http://{headers.get('host')}"


def _refused(why: str = "wrong token, or none: take the link that deepfactor serve printed") -> Response:
    return PlainTextResponse(f"403: {why}\n", 403)
