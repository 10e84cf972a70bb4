"""What a source gives of a table: all that it was asked for, the days that are other than before, or that it stands.

The last two are for sources that can prove it: whatever isn't given is as it was when the market was last written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from deepfactor.store.folder import WHOLE, MarketFolder, Part
from deepfactor.store.parquet import scan_parquet


@dataclass(frozen=True)
class Changed:
    """The days on which a table with a clock may be other than before.

    Attributes
    ----------
    days : (D,) dates, ascending; one without rows has none any more
    rows : all rows of these days, and no others; the columns of the table even where there are none

    Example
    -------
    >>> new = pl.DataFrame({"date": [date(2024, 5, 6)], "symbol": ["600000.SH"]})
    >>> Changed(new["date"], new).words()
    '1 rows of the day 2024-05-06'
    """

    days: pl.Series
    rows: pl.DataFrame

    def words(self) -> str:
        """How many rows of which days."""
        if self.days.is_empty():
            return "no day is other than before"
        return f"{self.rows.height:,} rows of {days_in_words(self.days)}"


def days_in_words(days: pl.Series) -> str:
    """How many days, and which."""
    if len(days) < 2:
        return f"the day {days[0]}" if len(days) else "no day"
    return f"{len(days):,} days from {days[0]} to {days[-1]}"


@dataclass(frozen=True)
class Standing:
    """A table is as it was before."""


#: What is given of a table.
Given = pl.DataFrame | Changed | Standing


def _no_symbols(without: pl.Series) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True)
class Holding:
    """What a market holds, for a source that goes on from it.

    Attributes
    ----------
    since : day from which on tables with a clock are asked for; None = all days, for nothing is held
    last : the last day held
    memos : what the source noted of its tables
    symbols : gives the symbols that have prices on days other than those that it is called with
    tell : takes a line for the screen
    """

    since: date | None = None
    last: date | None = None
    memos: Mapping[str, object] = field(default_factory=dict)
    symbols: Callable[[pl.Series], frozenset[str]] = _no_symbols
    tell: Callable[[str], None] = lambda text: None

    @classmethod
    def of(cls, folder: MarketFolder, since: date, last: date, tell: Callable[[str], None]) -> Holding:
        """What the market in `folder`, whose last day is `last`, holds; asked for from `since` on."""

        def symbols(without: pl.Series) -> frozenset[str]:
            held = without.filter(without <= last)
            return symbols_priced(folder, held) if len(held) else folder.priced

        return cls(since, last, folder.manifest.source.get("memos", {}), symbols, tell)


#: Tables, or what is other than before, for a market that holds this much.
Fetch = Callable[[Holding], Iterable[tuple[str, Given]]]


def symbols_priced(folder: MarketFolder, without: pl.Series) -> frozenset[str]:
    """The symbols that have rows in ``daily`` of `folder` on days that aren't in `without`.

    Raises
    ------
    DamagedFile
        a part isn't what was written.
    """
    touched = parts_of_days(folder, "daily", without)
    files = zip(folder.manifest.tables["daily"], folder.part_files("daily"), strict=True)
    scans = [(part in touched, scan_parquet(file).select("date", "symbol")) for part, file in files]
    other = ~pl.col("date").is_in(without.implode())
    kept = [scan.filter(other) if cut else scan for cut, scan in scans]
    return frozenset(pl.concat(kept).select(pl.col("symbol").unique()).collect()["symbol"])


def parts_of_days(folder: MarketFolder, table: str, days: pl.Series, since: date | None = None) -> set[Part]:
    """The parts of a table with a clock that hold any of `days`, or lie in the month of `since` or later."""
    months = {day.replace(day=1) for day in days}
    return {
        part
        for part in folder.manifest.tables[table]
        if any(part.holds(month) or part.label == WHOLE for month in months)
        or (since is not None and not part.ends_before(since))
    }
