"""A mapping's content as the text of a TOML file, with comments above its parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

#: Keys whose value is a table, or a list of tables, under a heading of its own.
_TABLES = ("tables", "columns", "fundamentals", "append", "names", "aliases")
_LONG = 100
_LISTS = ("symbols", "indices", "joined", "halts", "steps", "intervals", "statements")


def toml_text(content: Mapping[str, Any], comments: Mapping[str, Sequence[str]]) -> str:
    """The text; `comments`: dotted key (a list's part by its number, as ``tables.daily.joined.0``) = lines above it."""
    return "\n".join(_lines("", "", content, comments)).strip() + "\n"


def _lines(heading: str, key: str, content: Mapping[str, Any], comments: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Own keys first, then tables under headings; `heading` as TOML has it, `key` as `comments` do."""
    plain = {name: value for name, value in content.items() if not _has_heading(key, name, value)}
    for name, value in plain.items():
        yield from (f"# {line}".rstrip() for line in comments.get(f"{key}.{name}".strip("."), ()))
        yield f"{_name(name)} = {_value(value)}"
    for name, value in content.items():
        if name in plain:
            continue
        inner, inner_key = f"{heading}.{_name(name)}".strip("."), f"{key}.{name}".strip(".")
        parts = enumerate(value) if isinstance(value, list) else [(None, value)]
        for number, part in parts:
            own = inner_key if number is None else f"{inner_key}.{number}"
            said = [f"# {line}".rstrip() for line in comments.get(own, ())]
            bare = name == "tables" or (name == "fundamentals" and "statements" in part)
            yield from [""] if not bare else []
            yield from said
            if not bare:
                yield f"[{inner}]" if number is None else f"[[{inner}]]"
            yield from _lines(inner, own, part, comments)


def _has_heading(key: str, name: str, value: Any) -> bool:
    if isinstance(value, list):
        return name in _LISTS and bool(value) and isinstance(value[0], dict)
    if not isinstance(value, dict):
        return False
    of_column = key.endswith("columns")
    long_names = of_column and len(value.get("names", ())) > 4
    return name in _TABLES[:4] or (name in _TABLES[4:] and len(value) > 3) or key == "tables" or long_names


def _name(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        literal = "\\" in value and "'" not in value
        return f"'{value}'" if literal else json.dumps(value, ensure_ascii=False)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        line = f"[{', '.join(map(_value, value))}]"
        return line if len(line) < _LONG else "[\n" + "".join(f"    {_value(one)},\n" for one in value) + "]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_name(key)} = {_value(one)}' for key, one in value.items())} }}"
    return repr(value)
