"""A market goes on: days after those held are taken from the source, and what it says of days held is compared.

The last `OVERLAP` trading days held are asked for again, or of a source that can tell them the days that are other than
before, however old. Rows that differ there are revised history: listed and refused, or taken and logged where the user
accepts them. History that changes as a whole with a dividend
(forward-adjusted prices or factors) is refused always: what lies before the overlap would stand at another level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.store._merging import CLOCK, Merged, completed, merge, merge_days, merge_figures, merge_weights, write
from deepfactor.store._revisions import Revision
from deepfactor.store._warnings import joined_warnings, twins_anew
from deepfactor.store.checks import Basis, Finding, check_history, check_table, check_tables, last_day
from deepfactor.store.deltas import Changed, Fetch, Given, Holding, Standing
from deepfactor.store.folder import (
    Manifest,
    MarketFolder,
    Part,
    Prove,
    clear_unused,
    ingest_locked,
    plain,
    raise_first_error,
    read_part,
    replace_manifest,
)
from deepfactor.store.parquet import scan_parquet
from deepfactor.store.priced import note_symbols
from deepfactor.store.records import Account
from deepfactor.store.renaming import changed_codes, kept_account, renamed, revised_days
from deepfactor.store.schema import SCHEMA_VERSION, TABLES
from deepfactor.store.writing import MANIFEST, writing

#: Trading days held that a source is asked for again.
OVERLAP = 60
#: Calendar days held before what is fetched that are read again: a move over a longer suspension isn't looked at.
_CONTEXT = 31
_NOT_ANEW = "new days alone can't replace: give the whole history (without append.only_new_days), or a new folder"


def update(
    path: Path,
    fetch: Fetch,
    describe: Callable[[], Account],
    *,
    accept_revisions: bool = False,
    progress: Callable[[str], None] | None = None,
    prove: Prove | None = None,
) -> MarketFolder:
    """Bring a source's tables into the market folder `path`: all, or where it holds the same source, what is new.

    Parameters
    ----------
    fetch : gives the tables, with their rows from `Holding.since` on, of those with a clock also the days alone that
        are other than before; told the ``memos`` of the account held, it may say that a table stands, or leave out one
        that comes whole and would be the same
    describe : the source's account; ``name`` and ``settings`` before the fetch, all of it after
    accept_revisions : take rows of days held that the source now gives otherwise, and log them in the manifest
    prove : called before the market is committed; where it raises, the market stays as it was

    Returns
    -------
    the market, opened. Where there is nothing new no byte changes.

    Raises
    ------
    DataError
        a finding of severity "error", revised history that is not accepted, or forward-adjusted history; the market
        stays as it was.
    UserError
        another process is writing there.
    OutOfResources
        the disk is full; the market stays as it was.
    """
    tell = progress or (lambda _: None)
    with writing(path):
        account = describe()
        partial = bool(account.get("only_new_days"))
        held = _of_this_source(path, account)
        if held is None:
            if partial and (path / MANIFEST).exists():
                raise DataError(f"{path} holds a market of another source or mapping, which {_NOT_ANEW}")
            return ingest_locked(path, _whole(fetch), describe, tell, prove)
        since, last = _overlap(held)
        tell(f"holds days to {last}")
        given = _fetched(fetch(Holding.of(held, since, last, tell)), tell)
        if not any(_says_more(one) for one in given.values()):
            tell("nothing is other than before")
            return held
        tables, merged = completed(held, given, since)
        if not _same_form(held, tables):
            if partial:
                raise DataError(f"the source gives other tables or columns than {path} holds, which {_NOT_ANEW}")
            tell("the source gives other tables or columns than before: taking everything anew")
            return ingest_locked(path, _whole(fetch), describe, tell, prove)
        account = plain(describe())
        changed = _changed_codes(held, account, tables["daily"], (since, last), accept=accept_revisions)
        if changed:
            tell(f"codes have changed ({', '.join(changed[:3])}): taking everything anew")
            return ingest_locked(path, _whole(fetch), describe, tell, prove)
        for why, n in account.get("dropped", {}).items():
            tell(f"dropped since {since}: {why}: {n}")
        try:
            if partial and account.get("renames"):
                held = renamed(held, account, last, tables["daily"], tell)
            return _append(held, tables, merged, account, since, accept_revisions, prove)
        except BaseException:
            clear_unused(path)
            raise


def _changed_codes(
    held: MarketFolder, account: Account, daily: pl.DataFrame, span: tuple[date, date], *, accept: bool
) -> list[str]:
    """Changes of codes by which all is taken anew; an error where that would revise days of the `span` held."""
    since, last = span
    changed = changed_codes(held, account, last)
    if not changed or account.get("only_new_days") or last not in daily["date"]:  # then it is an older delivery
        return []
    revisions = revised_days(held, account, daily, since, last)
    if revisions and not accept:
        raise DataError(_refusal(revisions))
    return changed


def _fetched(given: Iterable[tuple[str, Given]], tell: Callable[[str], None]) -> dict[str, Given]:
    tables = {}
    for name, one in given:
        if not isinstance(one, Standing):
            tell(f"{name}: {one.words() if isinstance(one, Changed) else f'{one.height:,} rows'}")
        tables[name] = one
    if standing := [name for name, one in tables.items() if isinstance(one, Standing)]:
        tell(f"as before: {', '.join(standing)}")
    return tables


def _says_more(given: Given) -> bool:
    """Whether a table may be other than before."""
    return not isinstance(given, Standing) and not (isinstance(given, Changed) and given.days.is_empty())


def _whole(fetch: Fetch) -> Iterator[tuple[str, pl.DataFrame]]:
    """All rows of all tables, for a market that holds nothing yet."""
    for name, one in fetch(Holding()):
        assert isinstance(one, pl.DataFrame), "nothing is held that could be as before"
        yield name, one


def _of_this_source(path: Path, account: Account) -> MarketFolder | None:
    """The market in `path`, if it is there and was made by the source of `account` with its settings."""
    if not (path / MANIFEST).exists():
        return None
    held = MarketFolder.open(path)
    same = all(plain(account.get(name)) == held.manifest.source.get(name) for name in ("name", "settings"))
    return held if same and held.has("daily") else None


def _overlap(held: MarketFolder) -> tuple[date, date]:
    """The day from which a source is asked again, and the last day held."""
    days = pl.Series(dtype=pl.Date)
    for file in reversed(held.part_files("daily")):
        days = pl.concat([read_part(file, ["date"])["date"].unique(), days])
        if len(days) >= OVERLAP:
            break
    days = days.unique().sort().tail(OVERLAP)
    return days[0], days[-1]


def _same_form(held: MarketFolder, tables: Mapping[str, pl.DataFrame]) -> bool:
    """Whether the source gives the tables, and their columns, that it gave before."""
    derived = {"calendar"} if "calendar" in held.manifest.source.get("derived", []) else set()
    return set(tables) | derived | set(_memos(held)) == set(held.manifest.tables) and all(
        set(frame.columns) & set(TABLES[name].columns) == set(held.columns(name)) for name, frame in tables.items()
    )


def _memos(held: MarketFolder) -> Mapping[str, object]:
    """What the source noted of tables that it may leave out."""
    return held.manifest.source.get("memos", {})


def _append(
    held: MarketFolder,
    tables: dict[str, pl.DataFrame],
    done: Mapping[str, Merged],
    account: Account,
    since: date,
    accept: bool,
    prove: Prove | None,
) -> MarketFolder:
    """Check what was fetched, compare, write the parts that change, and replace the manifest where any did.

    `done`: tables that are merged already.
    """
    partial = bool(account.get("only_new_days"))
    last: date = read_part(held.part_files("daily")[-1], ["date"]).select(pl.col("date").max()).item()
    findings = twins_anew(held, _checked(held, tables, account, last), tables["daily"])
    merged = dict(done)
    for name, frame in tables.items():
        if name in done:
            continue
        if name == "fundamentals":
            merged[name] = merge_figures(held, frame, last)
        elif name == "index_weights":
            merged[name] = merge_weights(held, frame, partial)
        else:
            merged[name] = (
                merge_days(held, name, frame, since, partial) if name in CLOCK else merge(held, name, frame, since)
            )
    revisions = [revision for one in merged.values() for revision in one.revisions]
    if revisions and not accept:
        raise DataError(_refusal(revisions))
    left_out = {name: held.manifest.tables[name] for name in _memos(held) if name not in tables}
    merged |= {name: Merged(parts, pl.DataFrame(), 0, ()) for name, parts in left_out.items()}
    revised = any(revision.table == "daily" for revision in revisions)
    moves = _moves_anew(held, merged["daily"], tables, account) if revised else None
    new_rows = tables["daily"].filter(pl.col("date") > last)
    of_rows = check_table("daily", new_rows, basis=Basis.of(account)) if new_rows.height else []
    warnings = joined_warnings(held, findings, of_rows, left_out, moves)
    if "calendar" not in tables:
        days = pl.concat([held.read("calendar"), tables["daily"].select("date")]).unique().sort("date")
        merged["calendar"] = Merged((), days, 0, ())
    parts = {name: write(held, name, merged[name]) for name in TABLES if name in merged}
    new = {name: one.new for name, one in merged.items() if one.new}
    entry = {
        "after": last,
        "to": tables["daily"]["date"].max(),
        "rows": new,
        "accepted": [asdict(r) for r in revisions],
    }
    source = held.manifest.source
    codes = kept_account(source, account)
    if new or revisions or any(value != source.get(name) for name, value in codes.items()):
        source = {**source, **codes, "appended": [*source["appended"], entry]}
    if source is not held.manifest.source or any(given != held.manifest.tables[name] for name, given in parts.items()):
        if memos := {**_memos(held), **account.get("memos", {})}:
            source = {**source, "memos": memos}
        source = plain(source)
    replace_manifest(held.path, Manifest(SCHEMA_VERSION, parts, source, warnings), prove)
    _note_symbols(held, parts["daily"], None if revised else new_rows)
    return MarketFolder.open(held.path)


def _note_symbols(held: MarketFolder, parts: Sequence[Part], new: pl.DataFrame | None) -> None:
    """Spare the next evening to read all rows; `new` = what came behind those held, None = these changed too."""
    if new is not None:
        note_symbols(held.path, [part.content for part in parts], held.priced.union(new["symbol"]))


def _checked(held: MarketFolder, tables: Mapping[str, pl.DataFrame], account: Account, last: date) -> list[Finding]:
    """Findings of what was fetched; an error is raised. Rows have no number: they aren't counted from the first.

    Moves of prices and factors are looked at after the `last` day held.
    """
    # A delivery of new days alone has no weights on most of them.
    given = {name: frame for name, frame in tables.items() if name != "index_weights" or not frame.is_empty()}
    of_tables = check_tables(
        given,
        basis=Basis.of(account),
        priced=held.priced,
        factored=_factored(held, tables["daily"]),
        since=last + timedelta(days=1),
        last=last_day(account),
        simulated=bool(account.get("simulated")),
        before=_rows_before(held, tables["daily"]) if account.get("only_new_days") else None,
    )
    findings = [replace(one, row=None) if one.table in CLOCK else one for one in of_tables]
    raise_first_error(findings, account.get("files", {}))
    return findings


def _factored(held: MarketFolder, daily: pl.DataFrame) -> list[str]:
    """Symbols that hold a factor; asked only where `daily` lacks one."""
    if "adj_factor" not in daily.columns or not daily["adj_factor"].null_count():
        return []
    rows = scan_parquet(list(held.part_files("daily"))).filter(pl.col("adj_factor").is_not_null())
    symbols: list[str] = rows.select(pl.col("symbol").unique()).collect()["symbol"].cast(pl.String).to_list()
    return symbols


def _rows_before(held: MarketFolder, daily: pl.DataFrame) -> pl.DataFrame:
    """Rows held of the weeks before the first of `daily`: a new day's moves start from them."""
    first: date | None = daily.select(pl.col("date").min()).item()
    if first is None:
        return daily
    start = first - timedelta(days=_CONTEXT)
    rows = [read_part(file) for file in held.part_files("daily", start)]
    inside = (pl.col("date") < first) & (pl.col("date") >= start)
    return pl.concat(rows).filter(inside) if rows else daily.clear()


def _moves_anew(
    held: MarketFolder, daily: Merged, tables: Mapping[str, pl.DataFrame], account: Account
) -> list[Finding]:
    """Findings of the prices of all days, once revised history was taken; an error is raised."""
    basis, folder = Basis.of(account), held.path / "tables" / "daily"
    raise_first_error(check_table("daily", daily.rows, basis=basis), account.get("files", {}))
    kept = [read_part(folder / f"{part.name}.parquet") for part in daily.kept]
    findings = check_history(pl.concat([*kept, daily.rows]), basis, tables.get("securities"))
    raise_first_error(findings, account.get("files", {}))
    return findings


def _refusal(revisions: list[Revision]) -> str:
    lines = "; ".join(revision.text() for revision in revisions)
    return (
        f"the source gives another history than is held: {lines}. "
        "Take it with --accept-revisions (it is logged in the manifest), or mend the source"
    )
