"""What a vendor is asked, what it answers, and who asks: `Fetcher`, of which `Live` and `Replay` are the two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl


@dataclass(frozen=True)
class Request:
    """One question: the vendor's name of the call and its parameters, sorted, without who asks."""

    api: str
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, api: str, params: Mapping[str, str]) -> Request:
        """The request with these parameters."""
        return cls(api, tuple(sorted(params.items())))

    def __getitem__(self, name: str) -> str:
        """A parameter; empty where it wasn't given."""
        return next((value for key, value in self.params if key == name), "")

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.params)
        return f"{self.api}({given})"

    def key(self) -> str:
        """Text that names it."""
        return json.dumps([self.api, *map(list, self.params)], ensure_ascii=False)


@dataclass(frozen=True)
class Expected:
    """What an answer must be to be believed.

    Attributes
    ----------
    columns : that must be there, in any order; others may be
    key : columns that name a row: no two rows share them; empty = rows may come twice
    empty : whether an answer without rows can be one; if not, the vendor has it not yet
    gap : it can be one, but rows are missed, which is told
    among : column = the values that it may have, as text
    within : column = first and last text that it may have, both included
    least : fewest rows
    complete : column = all values that must be there
    """

    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    empty: bool = False
    gap: bool = False
    among: Mapping[str, frozenset[str]] = field(default_factory=dict)
    within: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    least: int = 0
    complete: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """A request and what its answer must be."""

    request: Request
    expected: Expected


@dataclass(frozen=True)
class Answer:
    """All rows of an answer, as received: every column is text, null = the vendor's null. `fetched_at` is in UTC."""

    request: Request
    rows: pl.DataFrame
    fetched_at: datetime


class Fetcher(Protocol):
    """Who gets answers: a vendor over the network, or a lake that has them."""

    def fetch(self, ask: Ask) -> Answer:
        """The whole answer, checked.

        Raises
        ------
        Unanswered
            there is none, or none that can be believed, now.
        UserError
            the vendor refuses, or its answers have changed; says what to do.
        """


@dataclass(frozen=True)
class Page:
    """A part of an answer. `more` = whether the vendor says that there is more; None = it says nothing."""

    columns: tuple[str, ...]
    rows: list[list[str | None]]
    more: bool | None = None


class Passing(Exception):
    """Something that may be gone when asked again; `wait` = seconds before that is of use, None = a short while."""

    def __init__(self, said: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(said)
