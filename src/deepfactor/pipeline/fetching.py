"""The verb `fetch`: a vendor's answers into a lake, from which `ingest` makes a market."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from deepfactor.core.choices import choices
from deepfactor.core.errors import RecipeError, UserError
from deepfactor.lake.folder import Lake
from deepfactor.lake.pace import Clock, MachineClock
from deepfactor.lake.settled import today
from deepfactor.pipeline.console import Console, Silent, step

if TYPE_CHECKING:
    from deepfactor.lake.fetching import Wanted
    from deepfactor.lake.vendors import Opened

#: Answers without rows that are named.
_SHOWN = 5


@dataclass(frozen=True)
class FetchOptions:
    """What a user can say of a fetch.

    Attributes
    ----------
    tables : the vendor's names; empty = those that a market is made of
    until : last day, None = today
    indices : whose levels, weights or members are wanted; empty = the vendor's usual ones
    token_file : holds the token
    url : the vendor's address, None = its own
    a_minute : calls a minute, None = what the vendor allows at least
    may_be_empty : tables of which an answer without rows is taken as it is
    by_stock : statements stock by stock
    """

    tables: tuple[str, ...] = ()
    until: date | None = None
    indices: tuple[str, ...] = ()
    token_file: Path | None = None
    url: str | None = None
    a_minute: int | None = None
    may_be_empty: tuple[str, ...] = field(default=())
    by_stock: bool = False


class FetchAccount(TypedDict):
    """What one call brought: answers by the vendor's calls, their rows, answers without rows; and answers in all."""

    vendor: str
    lake: str
    fetched: dict[str, int]
    rows: int
    gaps: list[str]
    answers: int


def fetch(
    vendor: str,
    lake: Path,
    since: date,
    chosen: FetchOptions | None = None,
    console: Console | None = None,
    clock: Clock | None = None,
) -> FetchAccount:
    """Bring what a vendor says since a day into a lake, but for what is there already. Safe to repeat, and to kill.

    Raises
    ------
    UserError
        no such vendor or table, no token, the vendor refuses, or its columns have changed.
    Unanswered
        the vendor gives no answer, or none that can be believed, now.
    """
    console, clock, chosen = console or Silent(), clock or MachineClock(), chosen or FetchOptions()
    opened = _opened(vendor, chosen, clock, console)
    wanted = _wanted(opened, since, chosen, clock)
    from deepfactor.lake.fetching import fetch as fetch_into

    with Lake.writing(lake, vendor) as held, step(console, f"answers of {vendor} are in {lake}"):
        try:
            fetched = fetch_into(held, opened.vendor, opened.fetcher, wanted, clock, console)
        finally:
            opened.close()
        if fetched.gaps:
            named = [*fetched.gaps[:_SHOWN], *(["…"] if len(fetched.gaps) > _SHOWN else [])]
            console.say(f"{len(fetched.gaps)} answers have no rows, the vendor has none: {'; '.join(named)}")
        return {
            "vendor": vendor,
            "lake": str(lake),
            "fetched": dict(sorted(fetched.answers.items())),
            "rows": fetched.rows,
            "gaps": fetched.gaps,
            "answers": len(held.recorded),
        }


def _opened(vendor: str, chosen: FetchOptions, clock: Clock, console: Console) -> Opened:
    try:
        vendors = importlib.import_module("deepfactor.lake.vendors")
    except ModuleNotFoundError as error:
        raise UserError(
            f"fetch needs the package {error.name}: install deepfactor with its extra, "
            "pip install 'deepfactor[vendors]'"
        ) from None
    opened: Opened = vendors.open_vendor(
        vendor,
        token_file=chosen.token_file,
        url=chosen.url,
        a_minute=chosen.a_minute,
        indices=chosen.indices,
        by_stock=chosen.by_stock,
        clock=clock,
        tell=console.say,
    )
    return opened


def _wanted(opened: Opened, since: date, chosen: FetchOptions, clock: Clock) -> Wanted:
    from deepfactor.lake.fetching import Wanted

    for option, names in (("--tables", chosen.tables), ("--may-be-empty", chosen.may_be_empty)):
        for name in names:
            if name not in opened.tables:
                raise RecipeError(f"{name!r} is no table of the vendor's: {choices(name, opened.tables)}", key=option)
    now = clock.now()
    until = min(chosen.until or date.max, today(now))
    if since > until:
        raise RecipeError(f"{since} comes after the last day that can be wanted, {until}", key="--since")
    tables = frozenset(chosen.tables or opened.usual)
    return Wanted(since, until, tables, now, frozenset(chosen.may_be_empty))
