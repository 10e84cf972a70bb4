"""Regular expressions that a mapping says: whether they are any, and end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any

import polars as pl
from pydantic import AfterValidator

_PARSER = import_module("re._parser")  # the standard library's own; it has no other name
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_GROUP = re.compile(r"\$(\d+)")


def compiled(value: str) -> str:
    """A regular expression that is one, and doesn't take for ever on a long text.

    Raises
    ------
    ValueError
        else.
    """
    try:
        re.compile(value)
    except (re.error, OverflowError) as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if any(_endless(inner) for outer in _repeats(_PARSER.parse(value)) for inner in _repeats(outer[2])):
        raise ValueError("repeats without end what repeats without end itself, which can take for ever: write it flat")
    return value


def _repeats(parsed: Any) -> Iterator[Any]:
    """Repeats without end, (least, most, what) each, wherever they stand."""
    rest = [parsed]
    while rest:
        one = rest.pop()
        if isinstance(one, tuple) and len(one) == 2 and str(one[0]) in _REPEATS and _endless(one[1]):
            yield one[1]
        if isinstance(one, (list, tuple)) or type(one).__name__ == "SubPattern":
            rest += list(one)


def _endless(repeat: Any) -> bool:
    return bool(repeat[1] == _PARSER.MAXREPEAT)


def searched(value: str) -> str:
    """A regular expression that polars takes, which knows no look-around; it needs no guard against time.

    Raises
    ------
    ValueError
        else.
    """
    try:
        pl.Series([""]).str.contains(value)
    except pl.exceptions.PolarsError:
        raise ValueError("is no regular expression, or one with look-around, which isn't known here") from None
    return value


def grouped(value: str) -> str:
    """A regular expression that polars takes and that has a group.

    Raises
    ------
    ValueError
        else.
    """
    if re.compile(searched(compiled(value))).groups < 1:
        raise ValueError("has no group: put what is wanted into parentheses")
    return value


def groups_of(pattern: str, to: str) -> None:
    """Refuse a replacement that names a group (``$1``) which the pattern doesn't have.

    Raises
    ------
    ValueError
        names the group.
    """
    held = re.compile(pattern).groups
    for number in map(int, _GROUP.findall(to)):
        if not 1 <= number <= held:
            raise ValueError(f"to: ${number} is no group of the pattern, which has {held or 'none'} (in parentheses)")


#: Searched for in a text, by Python.
Matching = Annotated[str, AfterValidator(compiled)]
#: Searched for in a text, by polars.
Searching = Annotated[str, AfterValidator(searched)]
#: Of whose first group the text is taken, by polars.
Grouping = Annotated[str, AfterValidator(grouped)]
