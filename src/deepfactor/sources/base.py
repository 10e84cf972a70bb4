"""What every source of market data provides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import polars as pl

from deepfactor.core.errors import RecipeError
from deepfactor.core.kind import Kind, Room, SettingsOf
from deepfactor.core.spec import Spec
from deepfactor.core.toml import read_toml
from deepfactor.core.trust import Trust
from deepfactor.sources._places import inside
from deepfactor.store.deltas import Given, Holding
from deepfactor.store.records import Account

__all__ = [
    "ROOM",
    "Comparing",
    "Remembering",
    "Source",
    "SourceKind",
    "choose_source",
    "fetch_all",
    "fetch_news",
    "inside",
]


class Source(Protocol):
    """A vendor's data as the tables of `deepfactor.store.schema`."""

    @property
    def name(self) -> str:
        """Name of the source, for the manifest."""

    def tables(self) -> tuple[str, ...]:
        """Names of the tables that it provides; ``daily`` is one and comes first."""

    def fetch(self, table: str, start: date | None, end: date | None) -> pl.DataFrame:
        """Rows of one table; optional columns may be absent.

        Parameters
        ----------
        table : one of `tables`
        start, end : first and last date wanted, both included, None = open. Tables without a date (``securities``) and
            intervals come whole: an interval that began before `start` may still hold. `fundamentals` and
            `index_weights` come whole up to `end`: what is dated before `start` may be delivered late.

        Raises
        ------
        DataError
            a file, row or column is wrong; names it.
        """

    def describe(self) -> Account:
        """The source's account for the manifest, complete once all tables are fetched.

        Keys: ``name``, ``settings``, ``cap`` ("float" | "total": the market value that it knows), ``simulated`` (bool),
        ``derived`` (list of fields made by a rule), ``dropped`` (mapping of reason to count), ``notes`` (list of text),
        ``files`` (mapping of table to file name, where there is one), ``memos`` (of a `Remembering` source),
        ``adjusted``, ``adjusted_volume``, ``no_adjustment`` (true where `deepfactor.store.checks.Basis` says so),
        ``only_new_days`` (true where tables with a date hold nothing else; days held are left as they are).
        """


@runtime_checkable
class Remembering(Source, Protocol):
    """A source that can tell of a table that comes whole whether it would be the same again.

    What it needs for that stands in ``memos`` of `describe`: table = any JSON content, kept in the manifest.
    """

    def unchanged(self, table: str, memo: Any) -> bool:
        """Whether `fetch` would give the rows that it gave when it noted `memo`. Asked in the order of `tables`."""


class SourceKind(Protocol[SettingsOf]):
    """A file of this room."""

    def open_source(self, settings: SettingsOf, folder: Path | None, trust: Trust, /) -> Source:
        """The source over the files in `folder`; files that settings name are read inside it alone, unless `trust`
        says otherwise (see `inside`)."""


ROOM: Room[SourceKind[Spec], Spec] = Room("deepfactor.sources")


@runtime_checkable
class Comparing(Source, Protocol):
    """A source that can tell what it would give otherwise than when it noted its ``memos`` of `describe`."""

    def changes(self, held: Holding) -> Iterator[tuple[str, Given]] | None:
        """The tables in their order, each whole, or that it stands, or the days that are other than before; None where
        that can't be told. Says on the screen which it is. Tables that `unchanged` answers for may be left out."""


def fetch_all(source: Source, start: date | None = None, end: date | None = None) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each table of `source` in turn, as `deepfactor.store.folder.ingest` wants them."""
    for table in source.tables():
        yield table, source.fetch(table, start, end)


def fetch_news(source: Source, held: Holding) -> Iterator[tuple[str, Given]]:
    """Each table of `source` in turn for a market that holds this much, as `deepfactor.store.update.update` wants them.

    Of a source that compares what is other than before, of others what they say from `held.since` on. Left out are
    tables of which the source says, by its `memos` of then, that they would be the same again.
    """
    changes = source.changes(held) if held.since is not None and isinstance(source, Comparing) else None
    if changes is not None:
        yield from changes
        return
    if held.since is not None:
        held.tell(f"asking for days from {held.since} on")
    for table in source.tables():
        memo = held.memos.get(table)
        if memo is not None and isinstance(source, Remembering) and source.unchanged(table, memo):
            continue
        yield table, source.fetch(table, held.since, None)


def choose_source(source: str) -> Kind:
    """The kind and settings that `source` stands for.

    Parameters
    ----------
    source : the path of a TOML, with the key ``kind`` (without it: ``tables``) and that kind's settings; the name of a
        shipped mapping; or the name of a kind that needs no settings, as ``qlib``.

    Raises
    ------
    RecipeError
        no TOML, or a kind that isn't made by ingest. What else is wrong shows when the kind is resolved.
    """
    content: dict[str, object] = {}
    if Path(source).is_file():
        content = read_toml(Path(source), source)
    elif ROOM.has(source):
        content = {"kind": source}
    kind = content.pop("kind", "tables")
    if not isinstance(kind, str):
        raise RecipeError(f"{kind!r} is no name of a kind: there are {', '.join(ROOM.kinds())}", key=f"{source}.kind")
    if kind == "simulated":
        raise RecipeError("make a simulated market with `deepfactor simulate`, which writes its oracle too", key=source)
    return Kind.model_validate({"kind": kind, **({"mapping": source} if kind == "tables" else content)})
