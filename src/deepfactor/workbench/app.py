"""The application: addresses, and what stands there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from deepfactor.core.errors import DeepfactorError
from deepfactor.core.words import LANGUAGES, Text
from deepfactor.report.press.blocks import Said
from deepfactor.report.press.words import words
from deepfactor.workbench import runs
from deepfactor.workbench.guard import Guard, Pass
from deepfactor.workbench.pages import LANGUAGE_COOKIE, Page, Press, only, static_files
from deepfactor.workbench.shelf import NotHere, Shelf

_FAULT = Text(
    "A fault of ours. What happened stands in the terminal where deepfactor serve runs.",
    "程序出错，详情见运行deepfactor serve的终端。",
)
_NO_PAGE = Text("There is no such page.", "没有这个页面。")
_TITLES = {404: Text("Not here", "未找到"), 500: Text("A fault", "程序错误")}
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class Workbench:
    """What all pages share."""

    shelf: Shelf
    press: Press
    allowed: Pass

    async def page(self, request: Request, make: Callable[[], Page], *, kept: object = None) -> Response:
        """The page that `make` makes, in a thread; with `kept` (what it is made of) it is set once a language."""
        language, path = self.press.language_of(request), request.url.path

        asked = (path, request.url.query, kept)

        def work() -> tuple[bytes, int]:
            page = make() if kept is None else self.shelf.pages.get(asked, make)
            if kept is None:
                return self.press.html(page, language, path), page.status
            return self.shelf.set.get((*asked, language), lambda: self.press.html(page, language, path)), page.status

        body, status = await run_in_threadpool(work)
        return HTMLResponse(body, status)

    def of_run(self, name: str) -> object:
        """What pages of a run are made of."""
        return self.shelf.stamp(self.shelf.run(name))

    async def index(self, request: Request) -> Response:
        """All runs."""
        return await self.page(request, lambda: runs.list_page(self.shelf, self.press))

    async def run(self, request: Request) -> Response:
        """A run's first page, or a section of it."""
        name, chosen = request.path_params["run"], request.path_params.get("section")
        stamp = await run_in_threadpool(self.of_run, name)
        return await self.page(request, lambda: runs.run_page(self.shelf, name, chosen), kept=stamp)

    async def compare(self, request: Request) -> Response:
        """Runs side by side."""
        names = list(dict.fromkeys(request.query_params.getlist("run")))
        chosen = request.query_params.get("section")
        stamp = await run_in_threadpool(lambda: tuple(self.of_run(name) for name in names))
        return await self.page(request, lambda: runs.compare_page(self.shelf, names, chosen), kept=stamp)

    async def static(self, request: Request) -> Response:
        """Style sheets and scripts."""
        name = request.path_params["name"]
        body = static_files().get(name)
        if body is None:
            raise NotHere("no such file")
        kept = {"Cache-Control": "private, max-age=31536000, immutable"}
        return Response(body, media_type=_TYPES[name.rsplit(".", 1)[-1]], headers=kept)

    async def failed(self, request: Request, error: Exception) -> Response:
        """What went wrong, said on a plain page."""
        said, status = _said(error)
        title = _TITLES.get(status, Text("That doesn't work", "无法完成"))
        page = Page(title, [only(Said(said, "problem"))], [runs.RUNS], status=status)
        return await run_in_threadpool(self.press.answer, page, request)

    def routes(self) -> list[Route]:
        """All addresses."""
        return [
            Route("/", self.index),
            Route("/run/{run}", self.run),
            Route("/run/{run}/section/{section}", self.run),
            Route("/compare", self.compare),
            Route("/static/{hash}/{name}", self.static),
        ]


def _said(error: Exception) -> tuple[str, int]:
    """The words and the status of an error."""
    if isinstance(error, NotHere):
        return words().sentence(str(error)), 404
    if isinstance(error, HTTPException):
        return (_NO_PAGE, 404) if error.status_code == 404 else (Text(error.detail), error.status_code)
    if isinstance(error, DeepfactorError) and error.exit_code != 1:
        return words().sentence(str(error)), 409
    return _FAULT, 500


class Languages:
    """``?language=zh`` at any address: kept as a cookie, and gone from the address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope) if scope["type"] == "http" else None
        chosen = None if request is None else request.query_params.get("language")
        if request is None or chosen not in LANGUAGES or request.method != "GET":
            await self.app(scope, receive, send)
            return
        rest = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "language"])
        path = "/" + scope["raw_path"].decode("latin-1").lstrip("/\\")
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        answer.set_cookie(LANGUAGE_COOKIE, chosen, httponly=True, samesite="strict", max_age=31536000)
        await answer(scope, receive, send)


def application(shelf: Shelf, allowed: Pass, *, write: bool = False, language: str = "en") -> ASGIApp:
    """The workbench of a shelf, behind its guard."""
    bench = Workbench(shelf, Press(allowed.form_token, write, language), allowed)
    app = Starlette(
        routes=bench.routes(),
        exception_handlers={Exception: bench.failed, HTTPException: bench.failed, DeepfactorError: bench.failed},
    )
    return Guard(Languages(app), allowed)
