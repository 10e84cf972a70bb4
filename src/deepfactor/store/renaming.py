"""Codes that changed since a market was written: what a source says of them, against what is held.

A source's account has ``renames`` (old code, new code, day as text or null, shares or null: those in force), ``levels``
(symbol, day, scale: factors before that day that it has multiplied, of the rows that it gave) and ``newest`` (symbol =
its first row given under its newest code). The manifest keeps the first and the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.store._revisions import Revision, compare
from deepfactor.store.folder import MarketFolder, Part, read_part, stored, write_parts
from deepfactor.store.parquet import scan_parquet
from deepfactor.store.records import Account, CodesAccount
from deepfactor.store.schema import TABLES
from deepfactor.store.stitching import SOUND, Contradiction, scale_between, stitch

#: The first day under a newer code, and what factors before it are multiplied by.
Joint = tuple[date, float]


def changed_codes(held: MarketFolder, account: Account, last: date) -> list[str]:
    """Changes of code by which `held`, whose last day is `last`, says another history than `account` would; in words.

    A code that it holds is an old one now; a change that it holds as one history is none any more; or the rows under a
    new code begin, which may be on another level.
    """
    before, now = _pairs(held.manifest.source), _pairs(account)
    changes = [f"{symbol} on {day}" for symbol, day, _ in account.get("levels", []) if date.fromisoformat(day) > last]
    begun = _pending(held.manifest.source) & set(account.get("newest", {}))
    if before == now and not begun:
        return changes
    symbols = _symbols(held)
    changes += [f"{symbol} begins" for symbol in sorted(begun & symbols)]
    changes += [f"{old} → {new}" for old, new, _ in sorted(now - before, key=str) if old in symbols]
    return changes + [f"no more {old} → {new}" for old, new, _ in sorted(before - now, key=str) if new in symbols]


def revised_days(held: MarketFolder, account: Account, daily: pl.DataFrame, since: date, last: date) -> list[Revision]:
    """What is said otherwise of prices held from `since` to `last`, but for codes, and factors where they changed."""
    newest = newest_codes(account)
    apart = {code for old, new, _ in _pairs(held.manifest.source) - _pairs(account) for code in (old, new)}
    clock, code = pl.col("date"), pl.col("symbol").cast(pl.String)
    rows = pl.concat([read_part(file) for file in held.part_files("daily", since)])
    before = rows.filter((clock >= since) & ~code.is_in(list(apart))).with_columns(code.replace(newest))
    now = daily.filter((clock >= since) & (clock <= last) & ~code.is_in(list(apart)))
    before, now = stored("daily", before), stored("daily", now)
    if "adj_factor" in before.columns:
        other = pl.when(~code.is_in(list(newest.values()))).then("adj_factor").alias("adj_factor")
        before, now = before.with_columns(other), now.with_columns(other)
    return list(compare("daily", before, now))


def _pending(source: Account) -> set[str]:
    """New codes of changes in force of which no row is held: what is held of these companies is of old ones."""
    return {new for _, new, _, _ in source.get("renames", [])} - set(source.get("newest", {}))


def kept_account(source: Account, account: Account) -> CodesAccount:
    """What the manifest keeps of codes, of the account held (`source`) and that of now."""
    renames, newest = account.get("renames", []), {**account.get("newest", {}), **source.get("newest", {})}
    kept: CodesAccount = {}
    if renames or "renames" in source:
        kept["renames"] = renames
    if newest or "newest" in source:
        kept["newest"] = newest
    return kept


def _pairs(account: Account) -> set[tuple[str, str, float | None]]:
    return {(old, new, shares) for old, new, _, shares in account.get("renames", [])}


def _symbols(held: MarketFolder) -> set[str]:
    """All codes of stocks in its tables."""
    named: set[str] = set()
    for table in held.manifest.tables:
        if "symbol" in TABLES[table].columns:
            codes = scan_parquet(list(held.part_files(table))).select(pl.col("symbol").unique()).collect()["symbol"]
            named |= set(codes)
    return named


def renamed(
    held: MarketFolder, account: Account, last: date, daily: pl.DataFrame, tell: Callable[[str], None]
) -> MarketFolder:
    """`held`, whose last day is `last`, under the codes of now: its parts written, its manifest not yet.

    `daily`: the prices that follow.

    Factors held of a company come to the level of its rows under the newest code, where those begin tonight.

    Raises
    ------
    DataError
        one company's days under two codes, or a level that can't be told.
    """
    symbols = _symbols(held)
    newest = {old: new for old, new in sorted(newest_codes(account).items()) if old in symbols}
    days = {new: date.fromisoformat(day) for _, new, day, _ in account.get("renames", []) if day is not None}
    for old, new in newest.items():
        tell(f"{old} is {new} from now on, in all that is held")
    try:
        joints = _joints(held, account, last, symbols, newest, daily)
        scales = {symbol: joint for symbol, joint in joints.items() if joint[1] != 1}
        tables = dict(held.manifest.tables)
        if newest or scales:
            for table in [name for name in tables if "symbol" in TABLES[name].columns]:
                tables[table] = tuple(_parts(held, table, newest, days, scales))
    except Contradiction as error:
        raise DataError(str(error), table="daily", column=error.column) from None
    source = held.manifest.source.copy()
    if joints:
        source["newest"] = {**source.get("newest", {}), **{symbol: str(day) for symbol, (day, _) in joints.items()}}
    return MarketFolder(held.path, replace(held.manifest, tables=tables, source=source))


def newest_codes(account: Account) -> dict[str, str]:
    """Each old code = the newest of its company."""
    step = {old: new for old, new, _, _ in account.get("renames", [])}
    out = {}
    for old in step:
        code = old
        while code in step:
            code = step[code]
        out[old] = code
    return out


def _parts(
    held: MarketFolder, table: str, newest: Mapping[str, str], days: Mapping[str, date], scales: Mapping[str, Joint]
) -> list[Part]:
    """Parts of a table under the codes of now; those that hold none of them stay."""
    out: list[Part] = []
    touched = [*newest, *(scales if table == "daily" else ())]
    for part, file in zip(held.manifest.tables[table], held.part_files(table), strict=True):
        frame = read_part(file)
        if not frame["symbol"].is_in(touched).any():
            out.append(part)
            continue
        age = frame["symbol"].is_in(list(newest)).cast(pl.Int8)
        frame = stitch(table, frame.with_columns(pl.col("symbol").replace(newest)), age, days).frame
        for symbol, (day, scale) in scales.items() if table == "daily" else ():
            earlier = (pl.col("symbol") == symbol) & (pl.col("date") < day)
            frame = frame.with_columns(
                adj_factor=pl.when(earlier).then(pl.col("adj_factor") * scale).otherwise("adj_factor")
            )
        out += write_parts(held.path, table, frame)
    return out


def _joints(
    held: MarketFolder,
    account: Account,
    last: date,
    symbols: set[str],
    newest: Mapping[str, str],
    daily: pl.DataFrame,
) -> dict[str, Joint]:
    """Companies (by their code of now) whose rows under it are met for the first time: held or in `daily`.

    Where a row under an old code comes before: what the factors before that day are multiplied by.
    """
    known = held.manifest.source.get("newest", {})
    shares = {new: given for _, new, _, given in account.get("renames", []) if given is not None}
    out = {
        symbol: (date.fromisoformat(day), scale)
        for symbol, day, scale in account.get("levels", [])
        if date.fromisoformat(day) > last
    }
    begin = {symbol: date.fromisoformat(day) for symbol, day in account.get("newest", {}).items()}
    for symbol in sorted({*newest.values(), *begin} - {*known, *out}):
        olds = [old for old, new in newest.items() if new == symbol]
        if not olds and symbol not in _pending(held.manifest.source):  # never met under another code
            out[symbol] = (begin[symbol], 1.0)
            continue
        apart = bool(olds) and symbol in symbols  # held under both codes until now
        before = _sound(held, olds if apart else [symbol, *olds])
        after = _sound(held, [symbol]) if apart else _of_tonight(daily, symbol, begin.get(symbol))
        if before is None or after is None or before.is_empty() or after.is_empty():
            if symbol in begin:
                out[symbol] = (begin[symbol], 1.0)
            continue
        out[symbol] = after["date"][0], scale_between(before.tail(1), after.head(1), symbol, shares.get(symbol))
    return out


def _sound(held: MarketFolder, codes: list[str]) -> pl.DataFrame | None:
    """Rows of a price and a factor that are held of some codes, by date; None where there are no factors."""
    columns = [name for name in ("date", "close", "adj_factor", "prev_close") if name in held.columns("daily")]
    if "adj_factor" not in columns:
        return None
    rows = scan_parquet(list(held.part_files("daily"))).filter(pl.col("symbol").is_in(codes) & SOUND)
    return rows.select(columns).collect().sort("date")


def _of_tonight(daily: pl.DataFrame, symbol: str, begin: date | None) -> pl.DataFrame | None:
    """Rows of a price and a factor of `symbol` that are given from `begin` on."""
    if begin is None or "adj_factor" not in daily.columns:
        return None
    mine = (pl.col("symbol").cast(pl.String) == symbol) & (pl.col("date") >= begin)
    return daily.filter(mine & SOUND).sort("date")
