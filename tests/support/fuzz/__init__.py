"""Bad inputs made from good ones, and what has to become of each: refused, or taken as what it means.

A family is a function that gives `Case`s, in a few lines: what is spoiled, and what is wanted. `judge` says what is
wrong with how the command ended. Everything is made by a seed, in this process, from files that a `Ground` keeps.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.cli import Ended

Content = dict[str, Any]
#: For families that draw: the same inputs each time.
SEED = 20200102


@dataclass(frozen=True)
class Case:
    """One input. `run` hands it to the command in a folder of its own; `same` says whether an accepted one was taken
    for what it means (None: it has to be refused)."""

    family: str
    name: str
    run: Callable[[Path], Ended]
    same: Callable[[Path, Ended], bool] | None = None


def judge(case: Case, folder: Path) -> str | None:
    """What is wrong with how the command took a case; None where nothing is."""
    try:
        ended = case.run(folder)
    except Exception as error:  # nothing may get past the command's own ending
        return f"{case.family}: {case.name}: {type(error).__name__}: {error}"
    said = (ended.err.strip().splitlines() or [""])[-1][:300]
    if ended.code == 1 or "Traceback" in ended.err:
        return f"{case.family}: {case.name}: a fault of ours: {said}"
    if case.same is None:
        if ended.code not in (2, 3):
            return f"{case.family}: {case.name}: accepted"
        return None if said else f"{case.family}: {case.name}: refused without a word"
    if ended.code != 0:
        return f"{case.family}: {case.name}: refused, where it means something: {said}"
    return None if case.same(folder, ended) else f"{case.family}: {case.name}: taken for something else"


def written(content: Mapping[str, Any]) -> str:
    """A mapping as TOML."""
    return "".join(f"{_key(key)} = {value_of(value)}\n" for key, value in content.items())


def value_of(value: Any) -> str:
    """A value as TOML, tables in line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    if isinstance(value, (int, dt.date)):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {value_of(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(value_of, value)) + "]"


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def leaves(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value that is no table or list, with its path."""
    if isinstance(content, (Mapping, list)):
        for key, value in content.items() if isinstance(content, Mapping) else enumerate(content):
            yield from leaves(value, (*path, key))
    else:
        yield path, content


def tables(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Content]]:
    """Every table, the outermost too, with its path."""
    if isinstance(content, Mapping):
        yield path, dict(content)
    if isinstance(content, (Mapping, list)):
        for key, value in content.items() if isinstance(content, Mapping) else enumerate(content):
            yield from tables(value, (*path, key))


def changed(content: Content, path: tuple[str | int, ...], value: Any) -> Content:
    """A copy with one value in the place of another."""
    out = copy.deepcopy(content)
    _place(out, path)[path[-1]] = value
    return out


def without(content: Content, path: tuple[str | int, ...]) -> Content:
    """A copy that lacks one value."""
    out = copy.deepcopy(content)
    del _place(out, path)[path[-1]]
    return out


def renamed(content: Content, path: tuple[str | int, ...], name: str) -> Content:
    """A copy in which one key has another name."""
    out = copy.deepcopy(content)
    place = _place(out, path)
    place[name] = place.pop(path[-1])
    return out


def _place(content: Any, path: tuple[str | int, ...]) -> Any:
    for step in path[:-1]:
        content = content[step]
    return content


def dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


#: In the place of any number: none of it is one.
NO_NUMBER: tuple[Any, ...] = (math.nan, math.inf, -math.inf, True, "many", [], {}, [1, 2])
#: In the place of a whole number of something.
NO_COUNT: tuple[Any, ...] = (*NO_NUMBER, -1, 1.5, 10**30)
#: What files may hold instead of TOML.
NO_TOML: Mapping[str, bytes] = {
    "nothing closed": b"name = [1, 2",
    "no value": b"name = \n",
    "twice the same key": b"name = 'a'\nname = 'b'\n",
    "a table over a value": b"name = 'a'\n[name]\nx = 1\n",
    "GBK": "name = '沪深'".encode("gbk"),
    "UTF-16": "name = 'a'".encode("utf-16"),
    "a NUL": b"name = 'a\x00b'",
    "a parquet file": b"PAR1\x15\x04\x15\x00\xff\xfe",
    "JSON": b'{"name": "a"}',
    "nested deep": b"name = " + b"[" * 5000 + b"]" * 5000,
    "a number of digits": b"name = " + b"9" * 5000,
    "a day that is none": b"name = 2020-02-30\n",
    "an empty file": b"",
    "a deep table": b"name = 1\n" + b".".join([b"a"] * 3000) + b" = 1\n",
}


def misspelt(name: str, position: int) -> str:
    """A name with two letters exchanged, or one more; never the name itself."""
    k = position % max(len(name) - 1, 1)
    swapped = name[:k] + name[k + 1 : k + 2] + name[k : k + 1] + name[k + 2 :]
    return swapped if swapped != name else name + name[-1]
