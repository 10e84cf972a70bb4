"""The application: addresses, and what stands there."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

from polars.exceptions import PolarsError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from deepfactor.core.errors import DataError, DeepfactorError, RecipeError, UserError
from deepfactor.core.words import LANGUAGES, Text
from deepfactor.report.press.blocks import Said
from deepfactor.report.press.words import words
from deepfactor.workbench import audit, days, jobs, runs, solving, stocks
from deepfactor.workbench.aside import Aside
from deepfactor.workbench.guard import Guard, Pass
from deepfactor.workbench.pages import LANGUAGE_COOKIE, Page, Press, only, static_files
from deepfactor.workbench.shelf import NotHere, Shelf
from deepfactor.workbench.starting import Calls

_FAULT = Text(
    "A fault of ours. What happened stands in the terminal where deepfactor serve runs.",
    "程序出错，详情见运行deepfactor serve的终端。",
)
_NO_PAGE = Text("There is no such page.", "没有这个页面。")
_TITLES = {403: Text("Forbidden", "禁止访问"), 404: Text("Not here", "未找到"), 500: Text("A fault", "程序错误")}
_PORTFOLIO = "/run/{run}/portfolio/{arm}/{index}/{constraints}"
#: Bytes of a form, at most.
MOST_SENT = 256_000
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class Workbench:
    """What all pages share."""

    shelf: Shelf
    press: Press
    allowed: Pass
    calls: Calls
    aside: Aside = field(default_factory=Aside)

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

    async def portfolio(self, request: Request) -> Response:
        """A portfolio, a day of it, or a stock through all of its days."""
        where, asked = _where(request), request.path_params
        day = days.read_day(asked["day"]) if "day" in asked else None
        stamps = await run_in_threadpool(lambda: (self.of_run(where[0]), self.shelf.market_stamp()))

        def make() -> Page:
            try:
                if day is not None:
                    return days.day_page(self.shelf, *where, day)
                if "symbol" in asked:
                    return stocks.stock_page(self.shelf, *where, asked["symbol"])
                return days.portfolio_page(self.shelf, *where)
            except PolarsError:
                raise DataError(
                    f"the files of this portfolio of run {where[0]} are of another version: run it again"
                ) from None

        return await self.page(request, make, kept=stamps)

    async def solve(self, request: Request) -> Response:
        """The constraints of a day to edit; sent, they are solved."""
        where, day = _where(request), days.read_day(request.path_params["day"])
        if request.method != "POST":
            return await self.page(request, lambda: solving.form_page(self.shelf, self.press, where, day))
        text = (await self.form(request)).get("constraints", "").replace("\r\n", "\n")
        try:
            asked = await run_in_threadpool(solving.asked_of, self.shelf, where, day, text)
        except RecipeError as error:
            said = self.press.said(error)
            return await self.page(request, lambda: solving.form_page(self.shelf, self.press, where, day, text, said))
        await run_in_threadpool(self.aside.ask, asked.key, solving.solve, self.shelf.market_path, asked)
        return RedirectResponse(f"{quote(request.url.path)}/{asked.key}", 303)

    async def solved(self, request: Request) -> Response:
        """What a solve changes."""
        where, day = _where(request), days.read_day(request.path_params["day"])
        (_, asked), answer = self.aside.of(request.path_params["key"])
        if (asked.day, asked.place) != (day, self.shelf.portfolio(*where)[1]):
            raise NotHere("this answer is of another day")
        return await self.page(request, lambda: solving.answer_page(self.shelf, self.press, where, day, asked, answer))

    async def jobs(self, request: Request) -> Response:
        """Jobs, and calls that were started here."""
        return await self.page(request, lambda: jobs.jobs_page(self.shelf, self.press, self.calls))

    async def job(self, request: Request) -> Response:
        """One job."""
        return await self.page(request, lambda: jobs.job_page(self.shelf, request.path_params["job"]))

    async def call(self, request: Request) -> Response:
        """One call."""
        number = request.path_params["call"]
        return await self.page(request, lambda: jobs.call_page(self.shelf, self.press, self.calls, number))

    async def start(self, request: Request) -> Response:
        """Start a recipe."""
        form = await self.form(request, writes=True)
        workers = form.get("workers", "")
        try:
            if not (workers.isascii() and workers.isdigit() and len(workers) < 6):
                raise UserError(f"{workers!r} is no number of processes")
            call = await run_in_threadpool(self.calls.start, form.get("recipe", ""), int(workers))
        except UserError as error:
            said = self.press.said(error)
            return await self.page(request, lambda: jobs.jobs_page(self.shelf, self.press, self.calls, said))
        return RedirectResponse(f"/jobs/call/{call.number}", 303)

    async def stop(self, request: Request) -> Response:
        """Stop a call."""
        form = await self.form(request, writes=True)
        call = await run_in_threadpool(self.calls.stop, form.get("call", ""))
        return RedirectResponse(f"/jobs/call/{call.number}", 303)

    async def audit(self, request: Request) -> Response:
        """The data audit."""
        market = self.shelf.market_path

        def make() -> Page:
            return audit.audit_page(self.aside.ask(audit.key_of(market), audit.audit, market))

        return await self.page(request, make)

    async def form(self, request: Request, *, writes: bool = False) -> dict[str, str]:
        """The fields of a form of ours; refused where it isn't, or where it `writes` and nothing may be."""
        if writes and not self.press.write:
            raise HTTPException(403, "read only: start deepfactor serve with --write")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_SENT:
                raise HTTPException(413, f"more than {MOST_SENT:,} bytes")
        try:
            fields = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20))
        except ValueError:
            raise HTTPException(400, "a form that can't be read") from None
        if not self.allowed.allows_form(fields.get("form_token")):
            raise HTTPException(
                403, "a form of another page, or of an earlier start of the server: load the page again"
            )
        return fields

    def warm(self) -> None:
        """What every first page waits for, before somebody does: the market, the newest run. What is wrong with them is
        said on their pages."""
        with suppress(DeepfactorError):
            runs.list_page(self.shelf, self.press)
            self.shelf.market()
            for name in self.shelf.names()[:1]:
                runs.run_page(self.shelf, name)

    @asynccontextmanager
    async def life(self, app: Starlette) -> AsyncIterator[None]:
        """From start to end of the server; what computes aside ends with it."""
        threading.Thread(target=self.warm, daemon=True).start()
        yield
        self.aside.close()

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
        said, status = _said(self.press, error)
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
            Route(_PORTFOLIO, self.portfolio),
            Route(_PORTFOLIO + "/day/{day}", self.portfolio),
            Route(_PORTFOLIO + "/stock/{symbol}", self.portfolio),
            Route(_PORTFOLIO + "/day/{day}/solve", self.solve, methods=["GET", "POST"]),
            Route(_PORTFOLIO + "/day/{day}/solve/{key}", self.solved),
            Route("/jobs", self.jobs),
            Route("/jobs/start", self.start, methods=["POST"]),
            Route("/jobs/stop", self.stop, methods=["POST"]),
            Route("/jobs/call/{call}", self.call),
            Route("/jobs/{job}", self.job),
            Route("/audit", self.audit),
            Route("/static/{hash}/{name}", self.static),
        ]


def _where(request: Request) -> tuple[str, str, str, str]:
    """Run, arm, index and constraints of an address."""
    asked = request.path_params
    return asked["run"], asked["arm"], asked["index"], asked["constraints"]


def _said(press: Press, error: Exception) -> tuple[Text, int]:
    """The words and the status of an error."""
    if isinstance(error, NotHere):
        return press.said(error), 404
    if isinstance(error, HTTPException):
        given = Text(error.detail, press.chinese(error.detail))
        return (_NO_PAGE, 404) if error.status_code == 404 else (given, error.status_code)
    if isinstance(error, DeepfactorError) and error.exit_code != 1:
        return press.said(error), 409
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


def application(shelf: Shelf, allowed: Pass, press: Press) -> ASGIApp:
    """The workbench of a shelf, behind its guard."""
    _ = words().sentences  # before there are threads: CPython 3.11 can't parse in two at once (gh-106905)
    bench = Workbench(shelf, press, allowed, Calls(shelf.runs, shelf.market_path))
    handlers = dict.fromkeys((Exception, HTTPException, DeepfactorError), bench.failed)
    app = Starlette(routes=bench.routes(), exception_handlers=handlers, lifespan=bench.life)
    return Guard(Languages(app), allowed)
