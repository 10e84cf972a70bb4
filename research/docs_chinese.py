"""Chinese of what the reference says: ``"English" = "中文"`` in ``keys.zh.toml``, read off the code on one side."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("keys.zh.toml")
#: What was asked for: an entry that no page asks for is stale.
READ: set[str] = set()


def chinese(text: str) -> str:
    """The Chinese of a text of the code.

    Raises
    ------
    LookupError
        the text has none: add it to the catalogue.
    """
    if text not in catalogue():
        raise LookupError(f"no Chinese of {text!r}: add it to research/{FILE.name}")
    READ.add(text)
    return catalogue()[text]


@cache
def catalogue() -> Mapping[str, str]:
    """English → Chinese, of all parts."""
    return {
        english: zh for part in tomllib.loads(FILE.read_text(encoding="utf-8")).values() for english, zh in part.items()
    }
