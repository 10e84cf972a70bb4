"""The language of the terminal: English as the rooms say it, or the Chinese beside it.

A room says English. What stands in results has its Chinese where it is made (`deepfactor.core.words`); what only the
terminal says (errors, progress, help) has it in ``chinese/ROOM.toml``: ``"English form" = "中文"``, a letter a place,
in the order of the English. The terminal takes the form that fits, as the page does; JSON, logs and files stay as made.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, lru_cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING

from deepfactor.core.words import LANGUAGES, Text

if TYPE_CHECKING:
    from deepfactor.report.press.words import Words

#: Where a user's language stands, by precedence (POSIX).
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_OPTION = "--language"
#: What lines end in: how often, or how long.
_BRACKET = re.compile(r"(.*) \(([\d,.]+(?: s)?)\)", re.DOTALL)
_SECONDS = re.compile(r" s$")
_SPOKEN: ContextVar[str] = ContextVar("language", default=LANGUAGES[0])


def asked(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language of ``--language`` wherever it stands, else of the environment: ``zh_CN.UTF-8`` and its like.

    >>> asked(["run", "demo", "--language", "zh"], {})
    'zh'
    >>> asked(["run", "demo"], {"LANG": "zh_CN.UTF-8"})
    'zh'
    >>> asked(["--language=en", "run"], {"LC_ALL": "zh_CN.GBK"})
    'en'
    """
    said = [*words[: list(words).index("--") if "--" in words else len(words)], ""]
    for i in reversed(range(len(said) - 1)):
        name, _, value = said[i].partition("=")
        if name == _OPTION and (given := value or said[i + 1]) in LANGUAGES:
            return given
    place = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return "zh" if re.match(r"zh([_.@]|$)", place) else "en"


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak `language` to the terminal."""
    token = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def language() -> str:
    """What is spoken: ``en`` or ``zh``."""
    return _SPOKEN.get()


def spoken(text: str) -> str:
    """What a room says, in the language that is spoken."""
    if language() == "en":
        return str(text)
    if isinstance(text, Text) and text.zh != text:
        return text.zh
    return in_chinese(text)


def in_chinese(text: str) -> str:
    """The Chinese of what a room says; line by line, and as it is where no form fits."""
    return "\n".join(_read(line)[1] for line in text.split("\n"))


def help_of(text: str) -> str:
    """The Chinese of a verb's or an option's help, whole."""
    return catalogue()["help"].get(text, text)


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """By room English forms → Chinese; ``help`` are texts, without places."""
    found = (files("deepfactor.cli") / "chinese").iterdir()
    return {file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8")) for file in found}


@cache
def _words() -> Words:
    """The page's words, with what only the terminal says."""
    from deepfactor.report.press.sentences import forms
    from deepfactor.report.press.words import words

    said = [pair for room, pairs in catalogue().items() if room != "help" for pair in pairs.items()]
    return replace(words(), more=forms(said))


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[int, str]:
    """Chinese of a line, and how many letters of it forms know: of several ways to read it the one that knows most.

    A form fits the whole; or what stands before and behind a colon, before a bracket, or between semicolons.
    """
    ways = [(0, text), _by_form(text), *map(partial(_by_colon, text), re.finditer(": ", text))]
    if ended := _BRACKET.fullmatch(text):
        known, said = _read(ended[1])
        ways.append((known + bool(known), f"{said}（{_SECONDS.sub(' 秒', ended[2])}）"))
    if len(parts := text.split("; ")) > 1:
        read = [_read(part) for part in parts]
        ways.append((sum(known for known, _ in read), "；".join(said for _, said in read)))
    return max(ways, key=lambda way: way[0])


def _by_form(text: str) -> tuple[int, str]:
    for form in _words().sentences:
        if (found := form.places_in(text)) is not None:
            places = {place: _place(part) for place, part in found.items()}
            known = sum(known for known, _ in places.values())
            return form.said + known, form.chinese.format(**{place: said for place, (_, said) in places.items()})
    return 0, text


def _by_colon(text: str, colon: re.Match[str]) -> tuple[int, str]:
    head, tail = _place(text[: colon.start()]), _read(text[colon.end() :])
    return (head[0] + tail[0] if tail[0] else 0), f"{head[1]}：{tail[1]}"


def _place(text: str) -> tuple[int, str]:
    """What stands in a place: a word that is known, a file's row, or a sentence."""
    said = _words().place(text)
    return (0, said) if said else _read(text)
