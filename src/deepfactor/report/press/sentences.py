"""The Chinese of sentences that results keep in English, by the forms that made them.

Each stands in the room that says it, as ``Sentence("…", "…")``, that of a shipped TOML (a title, a note) behind it as a
comment. They are read off the files' text, not imported: a model's file would load torch, and parsing all files takes a
second.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Formatter

#: A text at the end of a line of TOML, and behind it the comment that is its Chinese.
_COMMENTED = re.compile(r'("(?:[^"\\]|\\.)*")[\s\]},]*#\s*(.*[一-鿿].*)$')
_BRACES = str.maketrans({"{": "{{", "}": "}}"})
#: A text of Python's, in pieces too, and two of them as a sentence.
_TEXT = r"""((?:\s*(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))+)\s*"""
_SENTENCE = re.compile(rf"(?<![`\w])Sentence\({_TEXT},{_TEXT},?\s*\)")


@dataclass(frozen=True)
class Form:
    """How a sentence is told from others: the regular `expression` finds its places, `chinese` takes them.

    `said` = letters of it; `words` are what stands between the places, in order; "" first or last where a place stands
    there.
    """

    expression: str
    chinese: str
    said: int
    words: tuple[str, ...]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression, compiled once a sentence has its words: of most none ever has."""
        return re.compile(self.expression, re.DOTALL)

    def places_in(self, text: str) -> dict[str, str] | None:
        """What stands in the places of `text`; None where it is another sentence."""
        if not (text.startswith(self.words[0]) and text.endswith(self.words[-1])):
            return None
        at = 0  # a pattern of many places takes long to say no: first its words, in order
        for word in self.words:
            at = text.find(word, at)
            if at < 0:
                return None
            at += len(word)
        matched = self.pattern.fullmatch(text)
        return None if matched is None else matched.groupdict()


def form_of(english: str, chinese: str) -> Form:
    """The form of ``{places}`` between words: `n` is a whole number, any other what stands there, if only nothing."""
    pattern, said, seen, words = "", 0, set[str](), [""]
    for literal, place, _, _ in Formatter().parse(english):
        pattern += re.escape(literal)
        said += len(literal)
        words[-1] += literal
        if place is not None:
            words.append("")
            found = r"[\d,]+" if place == "n" else ".*?"
            pattern += f"(?P={place})" if place in seen else f"(?P<{place}>{found})"
            seen.add(place)
    return Form(pattern, chinese, said, tuple(words))


def forms(pairs: Iterable[tuple[str, str]]) -> tuple[Form, ...]:
    """The forms of English and Chinese, those that say most first: of two that fit a sentence it is the nearer."""
    return tuple(sorted((form_of(*pair) for pair in dict.fromkeys(pairs)), key=lambda form: -form.said))


def sentences_of_files(folder: Path) -> Iterator[tuple[str, str]]:
    """English and Chinese of every ``Sentence("…", "…")`` in the files under `folder`."""
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for english, chinese in _SENTENCE.findall(source):
            yield ast.literal_eval(f"({english})"), ast.literal_eval(f"({chinese})")


def sentences_of_tomls(folder: Path) -> Iterator[tuple[str, str]]:
    """English and Chinese of every line ``"…"  # 中文`` of the TOML files under `folder`; braces are no places."""
    for path in sorted(folder.rglob("*.toml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := _COMMENTED.search(line):
                texts = tomllib.loads(f"english = {found[1]}")["english"], found[2]
                yield texts[0].translate(_BRACES), texts[1].translate(_BRACES)
