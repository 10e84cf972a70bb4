"""What a market's tables say of a panel's symbols up to a day: equal knowledge makes equal rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from deepfactor.core.arrays import Symbols
from deepfactor.store.content import content_hash
from deepfactor.store.folder import MarketFolder, read_part

#: Columns that the panel reads of tables other than `daily` (and the calendar, which is read anew each time).
_READ = {
    "securities": ("symbol", "list_date", "delist_date"),
    "industry": ("symbol", "industry", "start_date", "end_date"),
    "index_members": ("index", "symbol", "start_date", "end_date"),
    "index_weights": ("index", "date", "symbol", "weight"),
    "index_daily": ("index", "date", "close", "total_return_close"),
}

#: Table → hash of its rows; ``daily`` → month and hash of each part.
KnownTables = Mapping[str, str | list[list[str]]]


def known_tables(folder: MarketFolder, symbols: Symbols, day: date, before: KnownTables | None = None) -> KnownTables:
    """Hashes of the rows up to `day`: ``daily`` a list of (month, hash) a part, the others one hash each.

    `before`: what was known of these symbols, or some of them, at that day or an earlier one. A table whose rows are
    all of those is known as a whole now, too, and isn't read.
    """
    daily = []
    for part, file in zip(folder.manifest.tables["daily"], folder.part_files("daily"), strict=True):
        if part.ends_before(day):
            daily.append([part.label, part.content])
        elif part.holds(day):
            frame = read_part(file)
            inside = frame.filter(pl.col("date") <= day)
            daily.append([part.label, part.content if inside.height == frame.height else content_hash(inside)])
    names = pl.Series(symbols.tolist(), dtype=pl.String)
    others = {name: _hash_of_known(folder, name, names, day, before or {}) for name in _READ if folder.has(name)}
    return {"daily": daily, **others}


def _hash_of_known(folder: MarketFolder, table: str, symbols: pl.Series, day: date, before: KnownTables) -> str:
    """The hash of `_known`, which a part has whose rows are all known and are read as a whole."""
    parts = folder.manifest.tables[table]
    if "date" in _READ[table] and len(parts) == 1 and before.get(table) == parts[0].content:
        return parts[0].content
    known = _known(folder, table, symbols, day)
    dated = "date" in known.columns and tuple(known.columns) == folder.columns(table)
    whole = dated and len(parts) == 1 and parts[0].rows == known.height
    return parts[0].content if whole else content_hash(known)


def has_past(folder: MarketFolder, symbols: list[str], day: date) -> bool:
    """Whether any table but `daily` and `industry` says of one of `symbols` what bears on rows up to `day`."""
    names = pl.Series(symbols, dtype=pl.String)
    dated = "securities" in folder.manifest.tables and "list_date" in folder.columns("securities")
    for table in (*(["securities"] if dated else []), "index_members", "index_weights"):
        if folder.has(table):
            known = _known(folder, table, names, day)
            if not known.is_empty() and (table != "securities" or known["list_date"].is_not_null().any()):
                return True
    return False


def _known(folder: MarketFolder, table: str, symbols: pl.Series, day: date) -> pl.DataFrame:
    """Rows of a table that bear on the days up to `day`, without what lies after it."""
    columns = [name for name in _READ[table] if name in folder.columns(table)]
    frame = folder.read(table, columns)
    if "symbol" in columns:
        frame = frame.filter(pl.col("symbol").is_in(symbols.implode()))
    for start in ("date", "start_date", "list_date"):
        if start in columns:
            frame = frame.filter((pl.col(start) <= day) | pl.col(start).is_null())
    # The last day of an interval still belongs to it, the delist date doesn't.
    for column, seen in (("end_date", pl.col("end_date") < day), ("delist_date", pl.col("delist_date") <= day)):
        if column in columns:
            frame = frame.with_columns(pl.when(seen).then(pl.col(column)).alias(column))
    return frame.rechunk()
