"""What stands in a market's manifest, as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from deepfactor.store.checks import FindingRecord, PricesAccount

#: Old code, new code, its first day as text where it is known, shares of the new one for one of the old where given.
Rename = tuple[str, str, str | None, float | None]
#: Symbol, day, what its factors before that day were multiplied by.
Level = tuple[str, str, float]


class CodesAccount(TypedDict, total=False):
    """What a source says of codes that changed: see `deepfactor.store.renaming`."""

    renames: list[Rename]
    levels: list[Level]
    newest: dict[str, str]


class Account(PricesAccount, CodesAccount):
    """What a source says of itself and of what it derived; the manifest's has ``appended``."""

    name: str
    settings: Mapping[str, object]
    cap: str
    simulated: bool
    derived: list[str]
    dropped: dict[str, int]
    notes: list[str]
    files: NotRequired[dict[str, str]]
    memos: NotRequired[Mapping[str, object]]
    only_new_days: NotRequired[bool]
    appended: NotRequired[list[object]]


class TablePart(TypedDict):
    """A parquet file of a table: `content` is a hash of its rows, `checksum` of its bytes."""

    name: str
    content: str
    rows: int
    checksum: NotRequired[str]


class ManifestFile(TypedDict):
    """``manifest.json``, without its own checksum."""

    schema_version: int
    tables: dict[str, list[TablePart]]
    source: Account
    warnings: list[FindingRecord]
    retired: list[str]
