"""How a page is set: title, place, blocks of the report's press, forms; in both languages, one of which is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from deepfactor.core.words import LANGUAGES, Text
from deepfactor.report.press.blocks import Block, Section, leaves
from deepfactor.report.press.html import PLOTLY, TAGS, asset, environment

#: Where the language that a reader chose is kept.
LANGUAGE_COOKIE = "deepfactor-language"

Crumb = tuple[str, str]


@dataclass(frozen=True)
class Page:
    """What a page shows.

    `crumbs`: (text, address) of the pages above; `links`: of its neighbours, with the address of the one that it is;
    `banner`: "simulated" where the market is made up; `refresh`: seconds after which it is loaded anew.
    """

    title: str
    sections: Sequence[Section]
    crumbs: Sequence[Crumb] = ()
    links: Sequence[Crumb] = ()
    here: str = ""
    lead: str = ""
    simulated: bool = False
    refresh: int | None = None
    status: int = 200


@dataclass(frozen=True)
class Press:
    """Sets pages; `form_token` stands in forms; `write`: runs may be started; `chinese` is that of errors."""

    form_token: str
    write: bool
    language: str = "en"
    chinese: Callable[[str], str] = str
    menu: tuple[Crumb, ...] = (
        (Text("Runs", "运行"), "/"),
        (Text("Jobs", "任务"), "/jobs"),
        (Text("Data audit", "数据审计"), "/audit"),
    )

    def said(self, error: Exception) -> Text:
        """An error in both languages."""
        return Text(str(error), self.chinese(str(error)))

    def language_of(self, request: Request) -> str:
        """The language that the reader chose, else the server's."""
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        return chosen if chosen in LANGUAGES else self.language

    def html(self, page: Page, language: str, path: str) -> bytes:
        """A page in a language; `path` is its own address."""
        figures = any(block.macro == "charts" for one in page.sections for block in leaves(one.blocks))
        shown = page.title.zh if language == "zh" and isinstance(page.title, Text) else str(page.title)
        text = _template("workbench.html.j2").render(
            tag=TAGS[language],
            language=language,
            page=page,
            path=path,
            menu=self.menu,
            heading=shown,
            assets=static(),
            figure_level=3 if any(one.title for one in page.sections) else 2,
            script=("page.js", PLOTLY) if figures else ("page.js",),
        )
        return text.encode()

    def answer(self, page: Page, request: Request) -> Response:
        """A page as an answer."""
        return HTMLResponse(self.html(page, self.language_of(request), request.url.path), page.status)

    def form(self, template: str, **parts: object) -> Markup:
        """A form, or another piece of a page, from its template."""
        return Markup(_template(template).render(form_token=self.form_token, write=self.write, tag="en", **parts))


def address(*parts: str, **query: str) -> str:
    """An address below the server, each part of it as one, whatever it holds."""
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return "/" + "/".join(quote(part, safe="") for part in parts) + (f"?{asked}" if asked else "")


@cache
def static() -> dict[str, str]:
    """Address by name of the files that pages load: with their hash, so that a browser may keep them."""
    return {name: f"/static/{hashlib.sha256(body).hexdigest()[:12]}/{name}" for name, body in static_files().items()}


@cache
def static_files() -> dict[str, bytes]:
    """The files that pages load."""
    own = (files("deepfactor.workbench") / "assets" / "workbench.css").read_bytes()
    return {**{name: asset(name).encode() for name in ("page.css", "page.js", PLOTLY)}, "workbench.css": own}


@cache
def _template(name: str) -> jinja2.Template:
    return environment(jinja2.PackageLoader("deepfactor.workbench", "assets")).get_template(name)


def only(*blocks: Block, title: str = "") -> Section:
    """A section of its own, without a heading where it has no title."""
    return Section(title if isinstance(title, Text) else Text(title), tuple(blocks), open=True)
