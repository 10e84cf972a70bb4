"""The changes of codes that a mapping names: in its own list or in a table, each in force from its day on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from deepfactor.core.errors import RecipeError
from deepfactor.market.boards import find_board
from deepfactor.market.codes import other_form_of
from deepfactor.sources._convert import as_dates
from deepfactor.sources._extract import Extract
from deepfactor.sources._mapping_columns import Pattern
from deepfactor.sources._mapping_parts import Rename, RenameTable
from deepfactor.store.schema import SYMBOL_PATTERN

_FORM = re.compile(SYMBOL_PATTERN)


def renames_of(extract: Extract, table: RenameTable, patterns: Sequence[Pattern]) -> list[Rename]:
    """The rows of a table of changes; its codes are read by `patterns`."""
    days = [None] * extract.frame.height
    if table.date is not None:
        days = as_dates(extract, table.date, table.date_format).to_list()
    renames = []
    for row, day in enumerate(days):
        codes = []
        for column in (table.old, table.new):
            text = extract[column][row]
            if text is None:
                raise extract.fault("there is no code", column, row)
            codes.append(ours(str(text), patterns))
        if meant := other_form_of(codes[0]):
            raise extract.fault(
                f"{codes[0]!r} is {meant} in another form: add a pattern to [[symbols]]", table.old, row
            )
        if _wrong(codes[1]):
            raise extract.fault(_wrong(codes[1]), table.new, row)
        renames.append(Rename(old=codes[0], new=codes[1], date=day))
    return renames


def stated(renames: Iterable[Rename], patterns: Sequence[Pattern]) -> list[Rename]:
    """A mapping's own list with its codes in our form, which `patterns` may bring them to.

    Raises
    ------
    RecipeError
        an old code that can only be an A-share's, in a form that no row will have.
    """
    written = []
    for one in renames:
        old, new = (code if _FORM.fullmatch(code) else ours(code, patterns) for code in (one.old, one.new))
        if meant := other_form_of(old):
            raise RecipeError(f"{old!r} is {meant} in another form: write it so", key="renames")
        written.append(one.model_copy(update={"old": old, "new": new}))
    return written


def in_force(renames: Iterable[Rename], last: date | None) -> dict[str, Rename]:
    """Old code = its change, of those that a market which reaches the day `last` has seen.

    Raises
    ------
    RecipeError
        a new code that is no A-share's, an old one that becomes two, or codes that go round in a circle.
    """
    changes: dict[str, Rename] = {}
    for one in renames:
        if wrong := _wrong(one.new):
            raise RecipeError(wrong, key="renames")
        if one.date is not None and last is not None and one.date > last:
            continue
        other = changes.setdefault(one.old, one)
        if other.new != one.new:
            raise RecipeError(
                f"{one.old} becomes {other.new} and {one.new}: it can become one code only", key="renames"
            )
    for old in changes:
        chain(old, changes)
    return changes


def chain(code: str, renames: Mapping[str, Rename]) -> list[str]:
    """`code` and those that it became, the newest last."""
    seen = [code]
    while seen[-1] in renames:
        seen.append(renames[seen[-1]].new)
        if seen[-1] in seen[:-1]:
            raise RecipeError(f"codes go round in a circle: {' → '.join(seen)}", key="renames")
    return seen


def ours(code: str, patterns: Sequence[Pattern]) -> str:
    """Our form of a vendor's code, by the first pattern that matches, else as it is."""
    return next((made for made in (pattern.apply(code) for pattern in patterns) if made is not None), code)


def _wrong(new: str) -> str:
    """What is wrong with a new code; empty where nothing is."""
    return "" if find_board(new) is not None else f"{new!r}, the new code, is no A-share's such as 600000.SH"
