"""A report's page as a reader of one language sees it, without a browser.

Skipped is what the page marks as no word of a language (``translate="no"``): a recipe's own keys, names, versions.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

#: Elements whose text nobody reads.
_SILENT = {"style", "script", "title"}
_VOID = {"meta", "link", "br", "img", "input", "hr", "path", "rect", "line", "circle", "polyline"}


class Shown(HTMLParser):
    """Texts that a page shows in Chinese, element by element: words, what a pointer shows, words of figures."""

    def __init__(self, html: str, language: str = "zh") -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []  # (where, text)
        self._other = {"zh": "en", "en": "zh"}[language]
        self._language = language
        self._open: list[tuple[str, bool]] = []  # tag, hidden
        self._json = ""
        self._block: list[str] = []
        self._where = ""
        self.feed(html)
        self._flush()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        classes = given.get("class", "").split()
        hidden = self._hidden or tag in _SILENT or self._other in classes or given.get("translate") == "no"
        if tag not in ("span", "b", "strong", "small", "a", "i", "tspan"):
            self._flush()
            self._where = f"<{tag} {given.get('class', '')}>"
        for name in ("title", "aria-label"):
            shown = given.get(f"data-{self._language}-{name}", given.get(name, ""))
            if shown and not hidden:
                self.texts.append((f"{name} of <{tag}>", shown))
        if tag == "script" and given.get("type") == "application/json" and "data-axes" not in given:
            self._json = "{"
        if tag not in _VOID:
            self._open.append((tag, hidden))

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("span", "b", "strong", "small", "a", "i", "tspan"):
            self._flush()
        self._json = ""
        while self._open:
            last, _ = self._open.pop()
            if last == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._json:
            self._figure(json.loads(data))
            self._json = ""
        elif not self._hidden and data.strip():
            self._block.append(data)

    @property
    def _hidden(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _flush(self) -> None:
        text = " ".join(" ".join(self._block).split())
        if text:
            self.texts.append((self._where, text))
        self._block = []

    def _figure(self, spec: dict[str, Any]) -> None:
        """Words of a figure, with the places that change with the language changed."""
        words = spec.pop("words", [])
        if self._language == "zh":
            for path, _, other in words:
                node: Any = spec
                for key in path[:-1]:
                    node = node[key]
                node[path[-1]] = other
        self.texts += [("figure", text) for text in _strings(spec) if not _LOOKS.fullmatch(text)]


#: Settings of a figure that are no words: colours, formats, dates.
_LOOKS = re.compile(r"#\w+|rgba?\(.*\)|[\d.,%+-]+[a-z%]?|%[\w%-]+|\d{4}-\d\d-\d\d|[a-z]+[+ ]?[a-z]*")


def _strings(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, dict):
        return [text for value in node.values() for text in _strings(value)]
    if isinstance(node, list):
        return [text for value in node for text in _strings(value)]
    return []


#: Four and more English words in a row; what is in capitals throughout is a code.
_WORD = r"[A-Za-z'’]*[a-z][A-Za-z'’]*"
_RUN = re.compile(rf"{_WORD}(?:[ ,;:()/–-]+{_WORD}){{3,}}")


def english_in(html: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """Runs of four and more English words that the Chinese page shows, `allowed` ones (names, code) taken out."""
    found = []
    for where, text in Shown(html).texts:
        for name in sorted(allowed, key=len, reverse=True):
            text = text.replace(name, "甲")
        found += [f"{where}: {run}" for run in _RUN.findall(text)]
    return list(dict.fromkeys(found))
