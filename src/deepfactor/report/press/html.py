"""From a template to one HTML file that needs nothing else: styles, script and figures inside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import jinja2
from markupsafe import Markup

from deepfactor.core.errors import RecipeError
from deepfactor.core.words import LANGUAGES, Text
from deepfactor.report.press.drawing import Figure, Plot
from deepfactor.report.press.tables import NOT_SAME, NOT_SAME_SHORT
from deepfactor.report.press.words import attribute

#: plotly.js 4.1.1's bundle of bars, lines and heat maps, a third of the whole one (npm: plotly.js-cartesian-dist-min).
PLOTLY = "plotly-cartesian.min.js"
TAGS = {"en": "en", "zh": "zh-CN"}


def document(template: str, language: str, *, figures: Sequence[Figure] = (), **parts: Any) -> str:
    """The template filled in both languages; `language` (``en`` or ``zh``) is the one shown first.

    Raises
    ------
    RecipeError
        another language.
    """
    if language not in LANGUAGES:
        raise RecipeError(f"no language {language!r}: there are {', '.join(LANGUAGES)}", key="language")
    axes = shared_axes(figures)
    return _template(template).render(
        tag=TAGS[language],
        axes=_json(list(axes)) if axes else "",
        embed=partial(_embed, axes=axes),
        css=asset("page.css"),
        js=asset("page.js"),
        plotly=asset(PLOTLY) if figures else "",
        **parts,
    )


#: Dates that several lines are drawn over: their number on the page.
Axes = Mapping[tuple[str, ...], int]
#: Points from which on an axis is worth a place of its own.
_LONG = 20


def shared_axes(figures: Iterable[Figure]) -> Axes:
    """The axes of which a page needs one for all its lines: dates are more than half of a long line."""
    counts = Counter(axis for figure in figures for trace in figure.spec["data"] if (axis := _axis(trace)))
    return {axis: k for k, axis in enumerate(axis for axis, n in counts.items() if n > 1)}


def _axis(trace: Plot) -> tuple[str, ...] | None:
    x = trace.get("x")
    if not isinstance(x, list) or len(x) < _LONG or not all(type(value) is str for value in x):
        return None
    return tuple(x)


def _embed(figure: Figure, axes: Axes = MappingProxyType({})) -> Markup:
    """A figure as JSON inside a script element; an axis that others have, too, by its number."""
    data = [
        trace if (number := axes.get(_axis(trace) or ())) is None else trace | {"x": {"axis": number}}
        for trace in figure.spec["data"]
    ]
    return _json({**figure.spec, "data": data, "words": figure.places()})


def _json(content: Any) -> Markup:
    """JSON inside a script element: nothing in it can end the element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def asset(name: str) -> Markup:
    """The text of a file that ships with the pages: a style sheet, a script."""
    return Markup((files("deepfactor.report.press") / "assets" / name).read_text(encoding="utf-8"))


@cache
def _template(name: str) -> jinja2.Template:
    return environment().get_template(name)


def environment(*more: jinja2.BaseLoader) -> jinja2.Environment:
    """The report's templates, and what of others `more` finds."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("deepfactor.report.press", "assets"), *more]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "say": Text,
        "attr": attribute,
        "embed": _embed,
        "not_same": NOT_SAME,
        "not_same_short": NOT_SAME_SHORT,
        "source": "",
    }
    return made
