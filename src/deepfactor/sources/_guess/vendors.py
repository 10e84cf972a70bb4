"""Which shipped mapping a folder's files go by, wherever they lie: told by the columns that each of its parts reads."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from deepfactor.core.toml import read_toml
from deepfactor.core.trust import Trust
from deepfactor.sources._fundamentals import columns_of
from deepfactor.sources._guess.looking import Group
from deepfactor.sources._mapping import Mapping as MappingSpec
from deepfactor.sources._mapping import TableMapping, shipped_mappings
from deepfactor.sources._mapping_columns import Origin
from deepfactor.sources._mapping_parts import (
    FundamentalSteps,
    Halts,
    Intervals,
    Joined,
    Statements,
    Steps,
)
from deepfactor.sources._patterns import files_of

#: A part that reads fewer columns fits a file of few others alone.
_TELLING = 4
_FEW_OTHERS = 2


@dataclass(frozen=True)
class Recognised:
    """A shipped mapping that fits.

    Attributes
    ----------
    name : the mapping's
    content : its content, with the files that were found, without what there is no file for
    used : key of a part = its groups
    as_it_is : every file lies where the shipped mapping looks for it
    """

    name: str
    content: dict[str, Any]
    used: Mapping[str, Sequence[Group]]
    as_it_is: bool


def recognised(folder: Path, groups: Sequence[Group]) -> Recognised | None:
    """The shipped mapping whose parts fit best; None where none does."""
    found: list[tuple[int, Recognised]] = []
    for name in shipped_mappings():
        file = resources.files("deepfactor.sources") / "mappings" / f"{name}.toml"
        content = read_toml(file, name)
        fit = _fit(name, content, folder, groups)
        if fit is not None:
            read = sum(len(needed(part)) for key, part in MappingSpec(**content).origins() if key in fit.used)
            found.append((read, fit))
    return max(found, key=lambda one: (one[0], one[1].name))[1] if found else None


def _fit(name: str, content: dict[str, Any], folder: Path, groups: Sequence[Group]) -> Recognised | None:
    made, own = copy.deepcopy(content), True
    used: dict[str, list[Group]] = {}
    absent: list[str] = []
    for key, part in MappingSpec(**content).origins():
        there = _named(folder, key, part, groups)
        if not there:
            bars = used.get("tables.daily", [])
            there = _elsewhere(part, [group for group in groups if group not in bars])
            own = own and not there
            for group in there:
                _place(made, key, part, group)
        if there:
            used[key] = there
        elif part.optional:
            absent.append(key)
        else:
            return None
    for key in reversed(absent):
        _remove(made, key)
    return Recognised(name, made, used, own)


def _named(folder: Path, key: str, part: Origin, groups: Sequence[Group]) -> list[Group]:
    """Groups that lie where the mapping looks for this part; nothing where one of them doesn't fit."""
    patterns = part.files or (str(part.file),)
    files = {found.path for found in files_of(folder, patterns, key=key, trust=Trust(outside=True))}
    there = [group for group in groups if files & set(group.files)]
    return there if there and all(_fits(part, group, places=True) for group in there) else []


def _elsewhere(part: Origin, groups: Sequence[Group]) -> list[Group]:
    """The group that fits best; columns alone tell little where there are few."""
    wanted = needed(part)
    others = {group.pattern: len(group.columns) - len(wanted) for group in groups}
    telling = [g for g in groups if len(wanted) >= _TELLING or others[g.pattern] <= _FEW_OTHERS]
    fitting = [group for group in telling if part.wide is None and _fits(part, group, places=False)]
    return sorted(fitting, key=lambda group: (others[group.pattern], group.pattern))[:1]


def _fits(part: Origin, group: Group, *, places: bool) -> bool:
    if part.places and not places and (len(part.places) > 1 or "{code}" not in group.pattern):
        return False
    names = [{column, *part.aliases.get(column, ())} for column in needed(part)]
    return all(not group.columns.isdisjoint(one) for one in names)


def needed(part: Origin) -> frozenset[str]:
    """Columns that a file of this part must have."""
    if part.wide is not None:
        return frozenset({part.wide})
    columns = {*getattr(part, "where", ()), *part.must_be, *part.order_by, *_read(part)}
    return frozenset(columns - set(part.may_lack) - set(part.places))


def _read(part: Origin) -> list[str]:
    drops = [drop.column for drop in getattr(part, "drop", ())]
    if isinstance(part, TableMapping):
        listed = [part.listed_on] if part.listed_on else []
        return [*listed, *drops, *(name for column in part.columns.values() for name in column.reads)]
    if isinstance(part, Joined):
        return [part.symbol, part.date, *drops, *(name for column in part.columns.values() for name in column.reads)]
    if isinstance(part, Halts):
        return [part.symbol, part.date, *drops]
    if isinstance(part, Steps):
        return [part.symbol, part.date, part.value]
    if isinstance(part, Intervals):
        return [name for name in (part.symbol, part.start, part.end, part.value, *drops) if name]
    return columns_of(part) if isinstance(part, FundamentalSteps | Statements) else []


def _place(content: dict[str, Any], key: str, part: Origin, group: Group) -> None:
    """Write the files that were found into a part."""
    at = _at(content, key)
    at.pop("file", None)
    at.pop("files", None)
    named = group.origin(coded=bool(part.places))
    for name, value in named.items():
        at[name] = str(value).replace("{code}", f"{{{part.places[0]}}}") if part.places else value


def _at(content: dict[str, Any], key: str) -> Any:
    at: Any = content
    for step in key.split("."):
        at = at[int(step)] if step.isdigit() else at[step]
    return at


def _remove(content: dict[str, Any], key: str) -> None:
    """Without a part; what held nothing else goes too."""
    head, _, last = key.rpartition(".")
    holder: Any = _at(content, head) if head else content
    del holder[int(last) if last.isdigit() else last]
    if head and not holder and head != "tables":
        _remove(content, head)
