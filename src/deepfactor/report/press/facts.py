"""Names and values in words: settings as people write them, files as dotted paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deepfactor.core.words import Text, joined, listed
from deepfactor.report.press.blocks import Fact
from deepfactor.report.press.formats import number
from deepfactor.report.press.words import words


def heading(key: str) -> Text:
    """A fact's name as a heading."""
    term = words().term(key)
    return Text(str(term).capitalize(), term.zh)


def span(ends: Sequence[Any]) -> Text:
    """From the first to the last."""
    return Text("{first} to {last}", "{first} 至 {last}").filled(first=ends[0], last=ends[-1])


def flat(entries: Mapping[str, object], above: str = "") -> list[Fact]:
    """A nested mapping as (dotted path, text), in order."""
    facts: list[Fact] = []
    for key, value in entries.items():
        path = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and value:
            facts += flat(value, path)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            for k, item in enumerate(value):
                facts += flat(item, f"{path}.{k}")
        else:
            facts.append((path, str(sentence(value))))  # a file's own words
    return facts


def sentence(value: Any) -> Text:
    """A setting as people write it: lists by commas, mappings as ``key value``, None as a dash, "none" where a list is
    empty."""
    if value is None:
        return Text(number(None, "plain"))
    if isinstance(value, Mapping):
        return listed(joined(" ", [words().setting(str(key)), sentence(item)]) for key, item in value.items())
    if isinstance(value, list | tuple):
        return listed(map(sentence, value)) if value else Text("none", "无")
    if isinstance(value, bool):
        return Text("yes", "是") if value else Text("no", "否")
    return Text(f"{value:g}") if isinstance(value, float) else words().setting(str(value))
