"""Files of a folder in groups that are one table each: names alike but for codes and dates, and their columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError, UserError
from deepfactor.sources._files import first_line, scan
from deepfactor.store.parquet import UNREADABLE

_ENDINGS = re.compile(r"\.(csv|tsv|txt|parquet|parq|pq|feather|arrow|xlsx|xlsm|xls)(\.gz)?$", re.IGNORECASE)
#: Parts of names that differ from file to file: a code, a day, a month, a year.
_CODE = r"(?:(?:sh|sz|bj)[._]?)?[03468]\d{5}(?:\.(?:sh|sz|bj|ss|xshg|xshe))?|92\d{4}(?:\.bj)?|(?:sh|sz|bj)[._]?\d{6}"
_DAY = r"(?:19|20)\d{2}(?:[-_]?\d{2}(?:[-_]?\d{2})?)?"
_PARTS = re.compile(rf"(?<![0-9a-z])(?:(?P<code>{_CODE})|{_DAY})(?![0-9])", re.IGNORECASE)
#: Files of a group that are looked into, and rows of each.
_FILES, _ROWS = 8, 20_000
_DEEP = 4


@dataclass(frozen=True)
class Group:
    """Files that are one table.

    Attributes
    ----------
    pattern : of a mapping's `files`, relative to the folder; ``{code}`` where names hold codes
    files : all of them
    sample : rows of some of them, as they stand there
    lacking : columns that some of those lack
    """

    pattern: str
    files: tuple[Path, ...]
    sample: pl.DataFrame
    lacking: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """Names of its columns."""
        return frozenset(self.sample.columns)

    def origin(self, *, coded: bool) -> dict[str, object]:
        """Keys of a mapping that name its files; `coded` = the code is read off their names."""
        pattern = self.pattern if coded else self.pattern.replace("{code}", "*")
        return {"files": pattern} if re.search(r"[*{]", pattern) else {"file": pattern}


def groups_of(folder: Path) -> tuple[list[Group], list[tuple[Path, str]]]:
    """Groups by pattern, and files that can't be read, with why.

    Raises
    ------
    DataError
        there is no file of a table.
    """
    named: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "~$")) for part in parts)
        if len(parts) <= _DEEP and not hidden and _ENDINGS.search(path.name) and path.is_file():
            named.setdefault(_pattern("/".join(parts)), []).append(path)
    if not named:
        raise DataError("there is no file of a table: .csv, .parquet, .feather, .xlsx are looked for", file=folder)
    groups, unread = [], []
    for pattern, files in sorted(named.items()):
        try:
            groups.append(_group(folder, pattern, files))
        except (UserError, *UNREADABLE) as error:
            unread.append((files[0], first_line(error)))
    return groups, unread


def _pattern(name: str) -> str:
    """A name with its code as ``{code}``, other codes and dates as ``*``."""
    *folders, last = name.split("/")
    ending = _ENDINGS.search(last)
    stem = last[: ending.start()] if ending else last
    coded = False

    def place(match: re.Match[str]) -> str:
        nonlocal coded
        if match["code"] and not coded:
            coded = True
            return "{code}"
        return "*"

    made = [_PARTS.sub("*", part) for part in folders]
    return "/".join([*made, _PARTS.sub(place, stem) + (ending[0] if ending else "")])


def _group(folder: Path, pattern: str, files: Sequence[Path]) -> Group:
    if len(files) == 1:  # a name of its own, whatever it holds
        pattern = files[0].relative_to(folder).as_posix() if "{code}" not in pattern else pattern
    step = max(1, -(-len(files) // _FILES))
    samples = [scan(file).head(_ROWS).collect() for file in [*files[::step], *files[-1:]]]
    every: list[set[str]] = [set(sample.columns) for sample in samples]
    lacking = tuple(sorted({name for one in every for name in one if not all(name in other for other in every)}))
    text = [sample.select(pl.all().cast(pl.String, strict=False)) for sample in samples if not _nested(sample)]
    if not text:
        raise DataError("holds lists or records", file=files[0])
    same = all(sample.schema == samples[0].schema for sample in samples)
    whole = pl.concat(samples) if same and not _nested(samples[0]) else pl.concat(text, how="diagonal")
    return Group(pattern, tuple(files), whole.unique(maintain_order=True), lacking)


def _nested(frame: pl.DataFrame) -> bool:
    return any(dtype.is_nested() for dtype in frame.dtypes)
