"""A market goes on: days after those held are taken from the source, and what it says of days held is compared.

The last `OVERLAP` trading days held are asked for again. Rows that differ there are revised history: listed and
refused, or taken and logged where the user accepts them. History that changes as a whole with a dividend
(forward-adjusted prices or factors) is refused always: what lies before the overlap would stand at another level.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.store._revisions import Revision, compare, known_until, refuse_forward_adjusted
from deepfactor.store.checks import Basis, Finding, check_adjustment, check_table, check_tables, last_day
from deepfactor.store.checks.adjustment import OF_MOVES
from deepfactor.store.folder import (
    Manifest,
    MarketFolder,
    Part,
    Prove,
    ingest_locked,
    plain,
    raise_first_error,
    read_part,
    replace_manifest,
    stored,
    write_parts,
)
from deepfactor.store.parquet import scan_parquet
from deepfactor.store.schema import SCHEMA_VERSION, TABLES
from deepfactor.store.writing import MANIFEST, writing

#: Trading days held that a source is asked for again.
OVERLAP = 60
#: Calendar days held before what is fetched that are read again: a move over a longer suspension isn't looked at.
_CONTEXT = 31
#: Examples that a warning keeps, the newest first.
_EXAMPLES = 5
_NOT_ANEW = "new days alone can't replace: give the whole history (without append.only_new_days), or a new folder"
#: The clock of tables of which a source gives only the rows from a day on. The others come whole.
_CLOCK = {"daily": "date", "index_daily": "date"}

#: Rows from a day on (None = all), and the source's memos of the tables held: those may be left out.
Fetch = Callable[[date | None, Mapping[str, Any]], Iterable[tuple[str, pl.DataFrame]]]


def update(
    path: Path,
    fetch: Fetch,
    describe: Callable[[], Mapping[str, Any]],
    *,
    accept_revisions: bool = False,
    progress: Callable[[str], None] | None = None,
    prove: Prove | None = None,
) -> MarketFolder:
    """Bring a source's tables into the market folder `path`: all, or where it holds the same source, what is new.

    Parameters
    ----------
    fetch : gives the tables with their rows from a day on (None = all); told the ``memos`` of the account held, it may
        leave out tables that come whole and would be the same
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
            return ingest_locked(path, fetch(None, {}), describe, tell, prove)
        since, last = _overlap(held)
        tell(f"holds days to {last}: asking for those from {since} on")
        tables = {}
        for name, frame in fetch(since, _memos(held)):
            tell(f"{name}: {frame.height:,} rows")
            tables[name] = frame
        if not _same_form(held, tables):
            if partial:
                raise DataError(f"the source gives other tables or columns than {path} holds, which {_NOT_ANEW}")
            tell("the source gives other tables or columns than before: taking everything anew")
            return ingest_locked(path, fetch(None, {}), describe, tell, prove)
        account = describe()
        for why, n in account.get("dropped", {}).items():
            tell(f"dropped since {since}: {why}: {n}")
        return _append(held, tables, account, since, accept_revisions, prove)


def _of_this_source(path: Path, account: Mapping[str, Any]) -> MarketFolder | None:
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


def _memos(held: MarketFolder) -> Mapping[str, Any]:
    """What the source noted of tables that it may leave out."""
    memos: Mapping[str, Any] = held.manifest.source.get("memos", {})
    return memos


@dataclass(frozen=True)
class _Merged:
    """A table that goes on.

    kept : its parts that stay as they are; rows : of the others, empty where nothing is new; new : how many are;
    revisions : of rows that were held
    """

    kept: tuple[Part, ...]
    rows: pl.DataFrame
    new: int
    revisions: tuple[Revision, ...]


def _append(
    held: MarketFolder,
    tables: dict[str, pl.DataFrame],
    account: Mapping[str, Any],
    since: date,
    accept: bool,
    prove: Prove | None,
) -> MarketFolder:
    """Check what was fetched, compare, write the parts that change, and replace the manifest where any did."""
    account = plain(account)
    partial = bool(account.get("only_new_days"))
    files = list(held.part_files("daily"))
    priced = scan_parquet(files).select(pl.col("symbol").unique()).collect()["symbol"]
    last: date = read_part(held.part_files("daily")[-1], ["date"]).select(pl.col("date").max()).item()
    findings = _checked(held, tables, account, priced, last)
    merged = {}
    for name, frame in tables.items():
        if name == "fundamentals":
            merged[name] = _merge_figures(held, frame, last, priced)
        elif name == "index_weights":
            merged[name] = _merge_weights(held, frame, partial)
        else:
            merged[name] = (
                _merge_days(held, name, frame, since, partial) if name in _CLOCK else _merge(held, name, frame, since)
            )
    revisions = [revision for one in merged.values() for revision in one.revisions]
    if revisions and not accept:
        raise DataError(_refusal(revisions, since))
    left_out = {name: held.manifest.tables[name] for name in _memos(held) if name not in tables}
    merged |= {name: _Merged(parts, pl.DataFrame(), 0, ()) for name, parts in left_out.items()}
    revised = any(revision.table == "daily" for revision in revisions)
    moves = _moves_anew(held, merged["daily"], tables, account) if revised else None
    new_rows = tables["daily"].filter(pl.col("date") > last)
    of_rows = check_table("daily", new_rows, basis=Basis.of(account)) if new_rows.height else []
    warnings = _joined_warnings(held, findings, of_rows, left_out, moves)
    if "calendar" not in tables:
        days = pl.concat([held.read("calendar"), tables["daily"].select("date")]).unique().sort("date")
        merged["calendar"] = _Merged((), days, 0, ())
    parts = {name: _write(held, name, merged[name]) for name in TABLES if name in merged}
    new = {name: one.new for name, one in merged.items() if one.new}
    entry = {
        "after": last,
        "to": tables["daily"]["date"].max(),
        "rows": new,
        "accepted": [asdict(r) for r in revisions],
    }
    source = held.manifest.source
    if new or revisions:
        memos = {**_memos(held), **account.get("memos", {})}
        source = plain({**source, "appended": [*source["appended"], entry], **({"memos": memos} if memos else {})})
    replace_manifest(held.path, Manifest(SCHEMA_VERSION, parts, source, warnings), prove)
    return MarketFolder.open(held.path)


def _checked(
    held: MarketFolder, tables: Mapping[str, pl.DataFrame], account: Mapping[str, Any], priced: pl.Series, last: date
) -> list[Finding]:
    """Findings of what was fetched; an error is raised. Rows have no number: they aren't counted from the first.

    `priced`: the symbols of the prices held. Moves of prices and factors are looked at after the `last` day held.
    """
    # A delivery of new days alone has no weights on most of them.
    given = {name: frame for name, frame in tables.items() if name != "index_weights" or not frame.is_empty()}
    found = check_tables(
        given,
        basis=Basis.of(account),
        priced=priced.to_list(),
        factored=_factored(held, tables["daily"]),
        since=last + timedelta(days=1),
        last=last_day(account),
        simulated=bool(account.get("simulated")),
        before=_rows_before(held, tables["daily"]) if account.get("only_new_days") else None,
    )
    findings = [replace(one, row=None) if one.table in _CLOCK else one for one in found]
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
    held: MarketFolder, daily: _Merged, tables: Mapping[str, pl.DataFrame], account: Mapping[str, Any]
) -> list[Finding]:
    """Findings of the prices of all days, once revised history was taken; an error is raised."""
    basis, folder = Basis.of(account), held.path / "tables" / "daily"
    raise_first_error(check_table("daily", daily.rows, basis=basis), account.get("files", {}))
    kept = [read_part(folder / f"{part.name}.parquet") for part in daily.kept]
    findings = check_adjustment(pl.concat([*kept, daily.rows]), basis, tables.get("securities"))
    raise_first_error(findings, account.get("files", {}))
    return findings


def _merge(held: MarketFolder, name: str, frame: pl.DataFrame, since: date) -> _Merged:
    """What is held and what was fetched of a table that comes whole, as one."""
    fetched = stored(name, frame)
    if name == "calendar":  # published ahead: its future may change
        past = held.read(name).filter(pl.col("date") < since)
        return _Merged((), pl.concat([past, fetched.filter(pl.col("date") >= since)]), 0, ())
    before, now = (known_until(name, rows, since) for rows in (held.read(name), fetched))
    return _Merged((), fetched, 0, compare(name, before, now))


def _merge_days(held: MarketFolder, name: str, frame: pl.DataFrame, since: date, partial: bool) -> _Merged:
    """What is held and what was fetched from `since` on of a table with a clock, as one.

    `partial`: days that weren't fetched stay as they are held.
    """
    day = _CLOCK[name]
    clock, fetched = pl.col(day), stored(name, frame)
    last = read_part(held.part_files(name)[-1], [day])[day].max()
    new = fetched.filter((clock > last) & (clock >= since))
    kept, rows = _split(held, name, since, fetched)
    if partial:
        untouched = rows.filter((clock >= since) & ~clock.is_in(fetched[day].unique().implode()))
        fetched = stored(name, pl.concat([untouched, fetched]))
    before = stored(name, rows.filter(clock >= since))  # months, each in its order
    now = fetched.filter((clock >= since) & (clock <= last))
    revisions = compare(name, before, now)
    if revisions:
        if name == "daily":
            refuse_forward_adjusted(before, now)
        return _Merged(kept, pl.concat([rows.filter(clock < since), now, new]), new.height, revisions)
    if new.is_empty():
        return _Merged(held.manifest.tables[name], new, 0, ())
    kept, rows = _split(held, name, new.select(clock.min()).item(), fetched)
    return _Merged(kept, pl.concat([rows, new]), new.height, ())


def _merge_figures(held: MarketFolder, frame: pl.DataFrame, last: date, priced: pl.Series) -> _Merged:
    """Published figures, which a source gives whole.

    New are those known after the last day held, whatever period they are of, and all of a symbol that had neither
    prices nor figures: its reports of before its listing come with it. The others were held, or are revised history.
    """
    before, fetched = held.read("fundamentals"), stored("fundamentals", frame)
    if fetched.equals(before):
        return _Merged(held.manifest.tables["fundamentals"], fetched.clear(), 0, ())
    seen = pl.concat([symbols.cast(pl.String) for symbols in (priced, before["symbol"].unique())]).unique()
    then = pl.col("known_at") <= last
    now = fetched.filter(then & pl.col("symbol").is_in(seen.implode()))
    return _Merged((), fetched, fetched.height - now.height, compare("fundamentals", before.filter(then), now))


def _merge_weights(held: MarketFolder, frame: pl.DataFrame, partial: bool) -> _Merged:
    """Weights of indices, which a source gives whole: a publication may come late, or be the last for long.

    New are publications after the last one held of their index. Those before an index's first fetched one stay as they
    are, and with `partial` all that weren't fetched.
    """
    before, fetched = held.read("index_weights"), stored("index_weights", frame)
    newest = before.group_by("index").agg(newest=pl.col("date").max())
    after = pl.col("newest").is_null() | (pl.col("date") > pl.col("newest"))
    fetched = fetched.join(newest, on="index", how="left", maintain_order="left").with_columns(after=after)
    new, now = (fetched.filter(one).drop("newest", "after") for one in (pl.col("after"), ~pl.col("after")))
    if partial:
        given = now.select("index", "date", asked=pl.lit(value=True)).unique()
        marked = before.join(given, on=["index", "date"], how="left", maintain_order="left")
    else:
        oldest = fetched.group_by("index").agg(oldest=pl.col("date").min())
        marked = before.join(oldest, on="index", how="left", maintain_order="left")
        marked = marked.with_columns(asked=pl.col("oldest").is_null() | (pl.col("date") >= pl.col("oldest")))
    asked = pl.col("asked").fill_null(value=False)
    untouched, before = (marked.filter(one).select(before.columns) for one in (~asked, asked))
    revisions = compare("index_weights", before, now)
    if not revisions and new.is_empty():
        return _Merged(held.manifest.tables["index_weights"], new, 0, ())
    return _Merged((), pl.concat([untouched, now, new]), new.height, revisions)


def _split(held: MarketFolder, name: str, since: date, like: pl.DataFrame) -> tuple[tuple[Part, ...], pl.DataFrame]:
    """Parts that lie in months before `since`, and the rows of the others; `like` has their columns."""
    early = tuple(part for part in held.manifest.tables[name] if part.ends_before(since))
    return early, pl.concat([like.clear(), *(read_part(file) for file in held.part_files(name, since))])


def _write(held: MarketFolder, name: str, merged: _Merged) -> tuple[Part, ...]:
    if merged.rows.is_empty():
        return merged.kept
    return (*merged.kept, *write_parts(held.path, name, merged.rows))


def _joined_warnings(
    held: MarketFolder,
    now: list[Finding],
    new: list[Finding],
    left_out: Collection[str],
    moves: list[Finding] | None,
) -> tuple[Mapping[str, Any], ...]:
    """Warnings of the whole: those of rows of `daily` add up, the others are as they are now.

    `new`: of the rows of new days alone. `moves`: of all days anew (see `_moves_anew`), or None where those of the new
    days add up.
    """
    by_row = {(w["code"], w["column"]): dict(w) for w in held.manifest.warnings if _of_daily_rows(w)}
    if moves is not None:
        by_row = {key: warning for key, warning in by_row.items() if key[0] not in OF_MOVES}
        now = [one for one in now if one.code not in OF_MOVES]
    of_moves = [one for one in (now if moves is None else moves) if one.code in OF_MOVES]
    for one in [*new, *of_moves]:
        warning = asdict(one)
        if _of_daily_rows(warning):
            before = by_row.setdefault((one.code, one.column), {**warning, "count": 0, "row": None, "examples": []})
            before["count"] += one.count
            before["examples"] = [*one.examples, *before["examples"]][:_EXAMPLES]
    others = [asdict(one) for one in now if not (one.table == "daily" and one.code in {c for c, _ in by_row})]
    others += [dict(w) for w in held.manifest.warnings if w["table"] in left_out]
    return tuple(plain([*by_row.values(), *others]))


def _of_daily_rows(warning: Mapping[str, Any]) -> bool:
    """Whether a warning counts rows of `daily` (not symbols, and no statement on the table as a whole)."""
    return bool(warning["table"] == "daily" and warning["column"] != "symbol" and warning["code"] != "strange_turnover")


def _refusal(revisions: list[Revision], since: date) -> str:
    lines = "; ".join(revision.text() for revision in revisions)
    return (
        f"the source gives another history since {since} than is held: {lines}. "
        "Take it with --accept-revisions (it is logged in the manifest), or mend the source"
    )
