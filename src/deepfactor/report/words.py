"""Every word of the page, kept apart from the code: a JSON file a language in ``assets``, read as bilingual texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

LANGUAGES = ("en", "zh")


class Text(str):
    """English text that carries its Chinese; in HTML both stand, and the page shows one of them."""

    zh: str

    def __new__(cls, en: str, zh: str = "") -> Text:
        text = super().__new__(cls, en)
        text.zh = zh or en
        return text

    def filled(self, **parts: object) -> Text:
        """Both languages with their ``{places}`` filled."""
        return Text(self.format(**parts), self.zh.format(**{key: chinese(part) for key, part in parts.items()}))

    def __html__(self) -> str:
        if self.zh == self:
            return str(escape(str(self)))
        english, other = escape(str(self)), escape(self.zh)
        return f'<span class="en">{english}</span><span class="zh" lang="zh-CN">{other}</span>'


def chinese(value: object) -> object:
    """The Chinese of a `Text`; anything else as it is."""
    return value.zh if isinstance(value, Text) else value


def joined(separator: str, parts: Iterable[object]) -> Text:
    """Texts and plain values in a row."""
    kept = list(parts)
    return Text(separator.join(map(str, kept)), separator.join(str(chinese(part)) for part in kept))


def together(sentences: Iterable[Text]) -> Text:
    """Sentences in a row: Chinese has no space between them."""
    given = list(sentences)
    return Text(" ".join(given), "".join(one.zh for one in given))


def attribute(name: str, text: str) -> Markup:
    """An HTML attribute in English, its Chinese beside it for the page's script."""
    given = f'{name}="{escape(str(text))}"'
    return Markup(f'{given} data-zh-{name}="{escape(text.zh)}"') if isinstance(text, Text) else Markup(given)


@dataclass(frozen=True)
class Metric:
    """What a column shows: its head, its unit and how it is computed."""

    key: str
    label: str
    unit: str
    definition: str


@dataclass(frozen=True)
class Words:
    """All words, bilingual."""

    metrics: Mapping[str, Metric]
    missing: Mapping[str, Text]
    text: Mapping[str, Text]
    terms: Mapping[str, Text]
    settings: Mapping[str, str]
    findings: Mapping[str, str]
    sentences: tuple[tuple[re.Pattern[str], str], ...]

    def universe(self, code: str) -> Text:
        """A universe or index by the name that people use."""
        own = {name: name for name in ("equal_weight", "cap_weight")}
        own |= {"all": "universe_all", "every": "universe_every"}
        return self.text[own[code]] if code in own else self.terms.get(code, Text(code))

    def term(self, value: object) -> Text:
        """A word of the results (a reason, a style, a setting) in both languages; itself where it has no entry."""
        raw = str(value)
        return self.terms.get(raw) or Text(raw.replace("_", " "), self._parts(raw.replace("_", " ")))

    def style(self, name: str, of: str) -> Text:
        """A style of the set `of`: sets have styles of one name that are not the same."""
        return self.terms.get(f"{of}.{name}") or self.term(name)

    def table(self, name: str) -> Text:
        """A table of a market: in English as it is called in the folder."""
        known = self.terms.get(f"table.{name}")
        return Text(name, known.zh if known else name)

    def setting(self, value: str) -> Text:
        """A setting's name or value: in English as the files have it."""
        return Text(value, self.settings.get(value, value))

    def finding(self, one: Mapping[str, Any]) -> Text:
        """What an audit found, an entry of its findings; the Chinese is that of its form, or else of its code."""
        said = self.sentence(str(one["message"]))
        if said.zh != said or one.get("code") not in self.findings:
            return said
        return Text(str(said), self.findings[one["code"]].format(n=f"{one['count']:,}"))

    def sentence(self, text: str) -> Text:
        """A message of the run; its Chinese where its form is known."""
        for form, other in self.sentences:
            if found := form.fullmatch(text):
                return Text(text, other.format(*map(self._named, found.groups())))
        return Text(text)

    def sentence_or_term(self, text: str) -> Text:
        """A reason for a count: a sentence of a known form, or a word."""
        said = self.sentence(text)
        return said if said.zh != said else self.term(text)

    def _named(self, part: str) -> str:
        """The Chinese of a table's or another known name, or of sentences; numbers and codes as they are."""
        known = self.terms.get(f"table.{part}") or self.terms.get(part)
        return known.zh if known else "；".join(self.sentence(one).zh for one in part.split("; "))

    def _parts(self, text: str) -> str:
        """The Chinese of words between middle dots or colons, part by part."""
        known = {key.replace("_", " "): term.zh for key, term in self.terms.items()}
        return "".join(known.get(part, part) for part in re.split(r"( · |: |, )", text))


@cache
def words() -> Words:
    """The words of the report."""
    en, zh = (_file(language) for language in LANGUAGES)
    metrics = {
        key: Metric(key, *(Text(a, b) for a, b in zip(parts, zh["metrics"][key], strict=True)))
        for key, parts in en["metrics"].items()
    }
    return Words(
        metrics,
        {key: Text(value, zh["missing"][key]) for key, value in en["missing"].items()},
        {key: Text(value, zh["text"][key]) for key, value in en["text"].items()},
        {key: Text(en["terms"].get(key, key.replace("_", " ")), value) for key, value in zh["terms"].items()},
        zh["settings"],
        zh["findings"],
        tuple((re.compile(form), other) for form, other in zh["sentences"]),
    )


def _file(language: str) -> dict[str, Any]:
    source = files("deepfactor.report") / "assets" / f"{language}.json"
    content: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return content
