"""Words that several sections share, English beside Chinese: heads of columns, names of codes and of settings.

What one section says stands in that section; these stand in ``assets/columns.toml`` and ``assets/terms.toml``. A kind
brings its own: a constant ``WORDS`` in its file, Chinese by the name, or (English, Chinese) where English says it
otherwise. It is read off the file, not imported: a model's file would load torch.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from deepfactor.core.words import Text
from deepfactor.report.press.sentences import Form, forms, sentences_of_files, sentences_of_tomls
from deepfactor.store.checks import FindingRecord

#: Where an error lies, see `deepfactor.core.errors.DataError`.
_PLACES = {"file": "文件{}", "table": "表{}", "row": "第{}行", "column": "列{}"}
_PLACE = re.compile(f"({'|'.join(_PLACES)}) (.+)", re.DOTALL)
#: Shown in place of what is not known.
NOT_STATED = Text("–")


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
    """All shared words, bilingual; `more` = forms beside those of the rooms."""

    metrics: Mapping[str, Metric]
    terms: Mapping[str, Text]
    settings: Mapping[str, str]
    more: tuple[Form, ...] = ()

    @cached_property
    def sentences(self) -> tuple[Form, ...]:
        """The forms of all sentences, which who shows known words alone does without; those that say most first."""
        return tuple(sorted((*_sentences(), *self.more), key=lambda form: -form.said))

    def universe(self, code: str) -> Text:
        """A universe or index by the name that people use."""
        return self.terms.get(f"universe.{code}") or self.terms.get(code, Text(code))

    def term(self, value: object) -> Text:
        """A word of the results (a reason, a style, a setting) in both languages; itself where it has no entry."""
        raw = str(value)
        return self.terms.get(raw) or Text(raw.replace("_", " "), self._parts(raw.replace("_", " ")))

    def name(self, value: object) -> Text:
        """A proper name, translated only where it is a known word."""
        return self.terms.get(str(value), Text(str(value)))

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

    def finding(self, one: FindingRecord) -> Text:
        """What an audit found, an entry of its findings; a sentence of unknown form in Chinese behind its code."""
        said = self.sentence(str(one["message"]))
        code = self.terms.get(str(one.get("code")))
        return Text(said, f"{code.zh}：{said}") if said.zh == said and code is not None else said

    def derived(self, made: str) -> Text:
        """What a market has by a rule: a field, or a sentence."""
        return self.terms.get(f"derived.{made}") or self.sentence(made)

    def sentence(self, text: str) -> Text:
        """A message of the run; its Chinese where its form is known."""
        for form in self.sentences:
            if (found := form.places_in(text)) is not None:
                places = {place: self._named(part) for place, part in found.items()}
                return Text(text, form.chinese.format(**places))
        place, _, what = text.partition(": ")
        where = self.place(place) if what else ""
        return Text(text, f"{where}：{self.sentence(what).zh}") if where else Text(text)

    def place(self, place: str) -> str:
        """The Chinese of a table, or of where an error lies, behind which stands what is said of it; "" of others."""
        parts = [_PLACE.fullmatch(part) for part in place.split(", ")]
        if place and all(parts):
            return "，".join(_PLACES[part[1]].format(part[2]) for part in parts if part is not None)
        if place.startswith("file "):
            return f"文件{place.removeprefix('file ')}"
        if known := self.terms.get(f"table.{place}") or self.terms.get(place):
            return known.zh
        return self._named(place) if f"table.{place.split('.')[0]}" in self.terms else ""

    def sentence_or_term(self, text: str) -> Text:
        """A reason for a count: a sentence of a known form, or a word."""
        said = self.sentence(text)
        word = text.rpartition(": ")[2] in self.terms  # behind a place, which a sentence may have too
        return self.term(text) if word or said.zh == said else said

    def _named(self, part: str) -> str:
        """The Chinese of a table's or another known name, or of sentences; numbers and codes as they are."""
        if known := self.terms.get(f"table.{part}") or self.terms.get(part):
            return known.zh
        whole = self.sentence(part)
        return whole.zh if whole.zh != part else "；".join(self.sentence(one).zh for one in part.split("; "))

    def _parts(self, text: str) -> str:
        """The Chinese of words between middle dots or colons, part by part."""
        known = {key.replace("_", " "): term.zh for key, term in self.terms.items()}
        return "".join(known.get(part, part) for part in re.split(r"( · |: |, )", text))


@cache
def words() -> Words:
    """The shared words of the report."""
    columns, terms = (_file(name) for name in ("columns", "terms"))
    metrics = {
        key: Metric(key, *(Text(en, zh) for en, zh in zip(both["en"], both["zh"], strict=True)))
        for key, both in columns.items()
    }
    package = Path(str(files("deepfactor")))
    own = dict(words_of_files(package))
    named = {**own, **terms["terms"]}
    return Words(
        metrics,
        {key: _term(key, given) for key, given in named.items()},
        {**{key: given for key, given in own.items() if isinstance(given, str)}, **terms["settings"]},
    )


@cache
def _sentences() -> tuple[Form, ...]:
    """The sentences of all rooms."""
    package = Path(str(files("deepfactor")))
    return forms([*sentences_of_files(package), *sentences_of_tomls(package)])


def words_of_files(folder: Path) -> Iterator[tuple[str, str | Sequence[str]]]:
    """Entries of the constants ``WORDS`` of the files under `folder`."""
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(source).body if "\nWORDS" in source else ():
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(target, ast.Name) and target.id == "WORDS":
                yield from ast.literal_eval(node.value).items()  # type: ignore[attr-defined]


def _term(key: str, given: str | Sequence[str]) -> Text:
    """``key = "中文"`` is said as it is spelled, ``key = ["English", "中文"]`` otherwise."""
    return Text(key.replace("_", " "), given) if isinstance(given, str) else Text(*given)


def _file(name: str) -> dict[str, Any]:
    return tomllib.loads((files("deepfactor.report.press") / "assets" / f"{name}.toml").read_text(encoding="utf-8"))
