"""What is held and what was fetched of a table, as one: new rows, and those of held days that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from deepfactor.store._revisions import Revision, compare, known_until, refuse_forward_adjusted
from deepfactor.store.deltas import Changed, Given, parts_of_days
from deepfactor.store.folder import MarketFolder, Part, read_part, stored, write_parts

#: The clock of tables of which a source gives only the rows from a day on. The others come whole.
CLOCK = {"daily": "date", "index_daily": "date"}


@dataclass(frozen=True)
class Merged:
    """A table that goes on.

    kept : its parts that stay as they are; rows : of the others, empty where nothing is new; new : how many are;
    revisions : of rows that were held
    """

    kept: tuple[Part, ...]
    rows: pl.DataFrame
    new: int
    revisions: tuple[Revision, ...]


def merge(held: MarketFolder, name: str, frame: pl.DataFrame, since: date) -> Merged:
    """What is held and what was fetched of a table that comes whole, as one."""
    fetched = stored(name, frame)
    if name == "calendar":  # published ahead: its future may change
        past = held.read(name).filter(pl.col("date") < since)
        return Merged((), pl.concat([past, fetched.filter(pl.col("date") >= since)]), 0, ())
    before, now = (known_until(name, rows, since) for rows in (held.read(name), fetched))
    return Merged((), fetched, 0, compare(name, before, now))


def merge_days(held: MarketFolder, name: str, frame: pl.DataFrame, since: date, partial: bool) -> Merged:
    """What is held and what was fetched from `since` on of a table with a clock, as one.

    `partial`: days that weren't fetched stay as they are held.
    """
    day = CLOCK[name]
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
        return Merged(kept, pl.concat([rows.filter(clock < since), now, new]), new.height, revisions)
    if new.is_empty():
        return Merged(held.manifest.tables[name], new, 0, ())
    kept, rows = _split(held, name, new.select(clock.min()).item(), fetched)
    return Merged(kept, pl.concat([rows, new]), new.height, ())


def merge_changed(held: MarketFolder, name: str, changed: Changed, since: date) -> tuple[Merged, pl.DataFrame]:
    """What is held of a table with a clock and the days that are other than before, as one.

    Second come the rows that a source would have given that was asked from `since` on: those held, but for the days
    that changed, and also such days of before.
    """
    day, parts = CLOCK[name], held.manifest.tables[name]
    clock, days = pl.col(day), changed.days.implode()
    files = dict(zip(parts, held.part_files(name), strict=True))
    read = parts_of_days(held, name, changed.days, since)
    rows = pl.concat([stored(name, changed.rows).clear(), *(read_part(files[one]) for one in parts if one in read)])
    last = read_part(files[parts[-1]], [day])[day].max()
    fetched, of_days = stored(name, changed.rows), clock.is_in(days)
    before = rows.filter((clock >= since) | of_days)
    whole = stored(name, pl.concat([before.filter(~of_days), fetched]))
    now, new = fetched.filter(clock <= last), fetched.filter(clock > last)
    revisions = compare(name, stored(name, before.filter(of_days)), now)  # the rows of other days are the same
    if revisions and name == "daily":
        refuse_forward_adjusted(before, whole.filter(clock <= last))
    if not revisions and new.is_empty():
        return Merged(parts, new, 0, ()), whole
    written = fetched if revisions else new
    replaced = changed.days if revisions else new[day].unique()
    touched = parts_of_days(held, name, replaced)
    others = [read_part(files[one]).filter(~clock.is_in(replaced.implode())) for one in parts if one in touched]
    kept = tuple(part for part in parts if part not in touched)
    return Merged(kept, stored(name, pl.concat([written, *others])), new.height, revisions), whole


def completed(
    held: MarketFolder, given: Mapping[str, Given], since: date
) -> tuple[dict[str, pl.DataFrame], dict[str, Merged]]:
    """What a source would have given that was asked from `since` on, and those tables merged of which it said less."""
    tables: dict[str, pl.DataFrame] = {}
    merged: dict[str, Merged] = {}
    for name, one in given.items():
        if isinstance(one, pl.DataFrame):
            tables[name] = one
        elif isinstance(one, Changed):
            merged[name], tables[name] = merge_changed(held, name, one, since)
        else:
            rows = held.read(name)
            tables[name] = rows.filter(pl.col(CLOCK[name]) >= since) if name in CLOCK else rows
            merged[name] = Merged(held.manifest.tables[name], rows.clear(), 0, ())
    return tables, merged


def merge_figures(held: MarketFolder, frame: pl.DataFrame, last: date) -> Merged:
    """Published figures, which a source gives whole.

    New are those known after the last day held, whatever period they are of, and all of a symbol that had neither
    prices nor figures: its reports of before its listing come with it. The others were held, or are revised history.
    """
    before, fetched = held.read("fundamentals"), stored("fundamentals", frame)
    if fetched.equals(before):
        return Merged(held.manifest.tables["fundamentals"], fetched.clear(), 0, ())
    seen = pl.Series(sorted(held.priced.union(before["symbol"].cast(pl.String))), dtype=pl.String)
    then = pl.col("known_at") <= last
    now = fetched.filter(then & pl.col("symbol").is_in(seen.implode()))
    return Merged((), fetched, fetched.height - now.height, compare("fundamentals", before.filter(then), now))


def merge_weights(held: MarketFolder, frame: pl.DataFrame, partial: bool) -> Merged:
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
        return Merged(held.manifest.tables["index_weights"], new, 0, ())
    return Merged((), pl.concat([untouched, now, new]), new.height, revisions)


def _split(held: MarketFolder, name: str, since: date, like: pl.DataFrame) -> tuple[tuple[Part, ...], pl.DataFrame]:
    """Parts that lie in months before `since`, and the rows of the others; `like` has their columns."""
    early = tuple(part for part in held.manifest.tables[name] if part.ends_before(since))
    return early, pl.concat([like.clear(), *(read_part(file) for file in held.part_files(name, since))])


def write(held: MarketFolder, name: str, merged: Merged) -> tuple[Part, ...]:
    """The parts of a table, in order, those of its rows written."""
    if merged.rows.is_empty():
        return merged.kept
    return tuple(sorted((*merged.kept, *write_parts(held.path, name, merged.rows)), key=lambda part: part.label))
