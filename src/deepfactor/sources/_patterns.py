"""Files of a folder by patterns: ``daily/*.csv``, ``bars/{code}.csv``; what stands in braces is read off the name.

``*`` is any part of a name, never a ``/``; ``[``, ``]`` and ``?`` are themselves. ``{code}`` is such a part that
becomes a column. ``.*`` at the end is any ending of a table, as ``.csv.gz``. Names that begin with a dot or ``~$`` (a
spreadsheet that is open) match no ``*``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from deepfactor.core.trust import Trust
from deepfactor.sources._places import inside

_MARKS = re.compile(r"\*|\{(\w+)\}")
_ENDING = r"\.(?:csv|tsv|txt|parquet|parq|pq|feather|arrow|ipc|xlsx|xlsm|xls)(?:\.gz)?"


@dataclass(frozen=True)
class Found:
    """A file, and what its name says: column = text."""

    path: Path
    named: Mapping[str, str] = field(default_factory=dict)


def places_in(pattern: str) -> list[str]:
    """Names in braces."""
    return [match[1] for match in _MARKS.finditer(pattern) if match[1]]


def _readable(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Patterns that name the same columns."""
    if not patterns:
        raise ValueError("names no file")
    for pattern in patterns:
        given = places_in(pattern)
        if len(set(given)) < len(given):
            raise ValueError(f"{pattern!r} has a name in braces twice")
        if re.search(r"[{}]", _MARKS.sub("", pattern)):
            raise ValueError(f"{pattern!r}: braces hold a name of letters, digits and underscores, as {{code}}")
        if set(given) != set(places_in(patterns[0])):
            raise ValueError(f"{patterns[0]!r} and {pattern!r} read different columns off the names")
    return patterns


#: Patterns as a mapping may hold them.
Patterns = Annotated[tuple[str, ...], AfterValidator(_readable)]


def files_of(folder: Path, patterns: Sequence[str], *, key: str, trust: Trust) -> list[Found]:
    """The files of `folder` that match, by pattern and name, each once.

    Raises
    ------
    RecipeError
        a pattern or a link leads out of `folder` (`key` names it), unless `trust` says otherwise.
    """
    found: dict[Path, Found] = {}
    for pattern in patterns:
        inside(folder, _MARKS.sub("x", pattern), key=key, trust=trust)
        for name, named in sorted(_matching(folder, "", pattern.split("/"), {})):
            path = inside(folder, name, key=key, trust=trust)
            if path.is_file():
                found.setdefault(path, Found(path, dict(named)))
    return list(found.values())


def _matching(
    folder: Path, before: str, parts: Sequence[str], named: Mapping[str, str]
) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Names relative to the folder that match the parts of a pattern, with what they say."""
    part, *rest = parts
    if _MARKS.search(part) is None:
        there = [(part, dict(named))] if (folder / before / part).exists() else []
    else:
        form = re.compile(_form(part))
        names = [one.name for one in (folder / before).iterdir()] if (folder / before).is_dir() else []
        visible = [name for name in names if not name.startswith((".", "~$"))]
        matches = [(name, form.fullmatch(name)) for name in visible]
        there = [(name, {**named, **match.groupdict()}) for name, match in matches if match]
    for name, said in there:
        if rest:
            yield from _matching(folder, f"{before}{name}/", rest, said)
        else:
            yield f"{before}{name}", tuple(said.items())


def _form(part: str) -> str:
    """A part of a pattern as a regular expression."""
    if part.endswith(".*") and part != ".*":
        return _form(part.removesuffix(".*")) + f"(?i:{_ENDING})"
    form, at = "", 0
    for match in _MARKS.finditer(part):
        form += re.escape(part[at : match.start()]) + (f"(?P<{match[1]}>.+?)" if match[1] else ".*")
        at = match.end()
    return form + re.escape(part[at:])
