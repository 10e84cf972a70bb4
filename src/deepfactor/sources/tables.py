"""Source `tables`: CSV or parquet files as a vendor left them, read by a mapping (one TOML, see `_mapping`).

The mapping says everything that is particular to the vendor: names, units, forms of codes, step tables, renamed
indices. What is dropped, derived or corrected on the way is counted for the manifest.
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from deepfactor.core.errors import DataError
from deepfactor.core.spec import Spec
from deepfactor.sources._files import Extract, codes, convert, read
from deepfactor.sources._fundamentals import finish_figures, statement_figures, step_figures
from deepfactor.sources._mapping import Fundamentals, Mapping, TableMapping, load_mapping
from deepfactor.sources._steps import read_steps, step_values
from deepfactor.store.schema import TABLES

_CODES = ("symbol", "index")


class Settings(Spec):
    """Which mapping: the name of a shipped one or the path of a TOML file."""

    mapping: str = "ashare_parquet"


def open_source(settings: Settings, folder: Path | None) -> Tables:
    """The source over the files in `folder`.

    Raises
    ------
    RecipeError
        the mapping is unknown or wrong.
    DataError
        no folder, or a file of the mapping is missing.
    """
    mapping = load_mapping(settings.mapping)
    if folder is None or not folder.is_dir():
        given = "none given" if folder is None else f"{folder} is none"
        raise DataError(f"mapping {mapping.name} reads files: give their folder with --folder ({given})")
    files = [file for table in mapping.tables.values() for file in [table.file, *(step.file for step in table.steps)]]
    for file in [*files, *(mapping.fundamentals.files() if mapping.fundamentals else ())]:
        if not (folder / file).is_file():
            raise DataError("there is no such file: is --folder right?", file=folder / file)
    return Tables(mapping, folder)


class Tables:
    """Tables out of a folder of files by a mapping; see `deepfactor.sources.base.Source`."""

    def __init__(self, mapping: Mapping, folder: Path) -> None:
        self._mapping = mapping
        self._folder = folder
        self._dropped: dict[str, dict[str, int]] = {}
        self._derived: dict[str, list[str]] = {}
        self._counted: dict[str, list[str]] = {}
        self._priced: frozenset[str] | None = None
        self._trading_days = pl.Series(dtype=pl.Date)

    @property
    def name(self) -> str:
        """The mapping's name."""
        return self._mapping.name

    def tables(self) -> tuple[str, ...]:
        """Tables that the mapping names, `daily` first."""
        made = {"fundamentals"} if self._mapping.fundamentals else set()
        return tuple(name for name in TABLES if name in self._mapping.tables or name in made)

    def fetch(self, table: str, start: date | None, end: date | None) -> pl.DataFrame:
        """Rows of `table`; see `Source.fetch`."""
        self._dropped[table], self._derived[table], self._counted[table] = {}, [], []
        if table == "fundamentals" and self._mapping.fundamentals is not None:
            return self._figures(self._mapping.fundamentals, end)
        spec = self._mapping.tables[table]
        frame = self._read(table, spec, start, end)
        if table == "daily":
            self._priced = frozenset(frame["symbol"].unique().cast(pl.String))
            return self._finish_daily(spec, frame)
        if spec.priced_only:
            frame = self._priced_only(table, frame)
        return self._finish_members(spec, frame) if table == "index_members" else frame

    def describe(self) -> dict[str, Any]:
        """The source's account of what it did; see `Source.describe`."""
        mapping = self._mapping
        return {
            "name": mapping.name,
            "settings": {"mapping": mapping.name, "mapping_key": _key(mapping)},
            "cap": mapping.cap,
            "simulated": False,
            "derived": sorted(f"{table}.{what}" for table, made in self._derived.items() for what in made),
            "dropped": {f"{table}: {why}": n for table, drops in self._dropped.items() for why, n in drops.items()},
            "notes": [*mapping.notes, *(note for table in self.tables() for note in self._counted.get(table, []))],
            "files": {name: table.file for name, table in mapping.tables.items()}
            | ({"fundamentals": mapping.fundamentals.files()[0]} if mapping.fundamentals else {}),
        }

    def _figures(self, spec: Fundamentals, end: date | None) -> pl.DataFrame:
        """Table `fundamentals` from step tables and statements; needs the trading days of `daily`."""
        if self._trading_days.is_empty():
            raise DataError("fetch daily before fundamentals: its trading days say when a figure may be used")
        patterns, days = self._mapping.symbols, self._trading_days
        parts = [step_figures(steps, self._folder, patterns, days) for steps in spec.steps]
        for statements in spec.statements:
            figures, guessed = statement_figures(statements, self._folder, patterns, days)
            parts.append(figures)
            if guessed:
                what = f"{guessed} reports of {statements.file} have no announcement: known from the deadline"
                self._counted["fundamentals"].append(f"fundamentals: {what}")
        rows, lost = finish_figures(parts)
        if any(steps.reports for steps in spec.steps):
            self._derived["fundamentals"].append("period_end")
        if lost:
            self._dropped["fundamentals"]["figures replaced on the day they became known"] = lost
        rows = self._priced_only("fundamentals", rows)
        return rows.filter(pl.col("known_at") <= end) if end else rows

    def _read(self, table: str, spec: TableMapping, start: date | None, end: date | None) -> pl.DataFrame:
        """The mapped columns in our types, between `start` and `end`."""
        wanted = [*(column.source for column in spec.columns.values()), *(drop.column for drop in spec.drop)]
        extract = self._without_drops(table, spec, read(self._folder / spec.file, wanted, spec.where))
        made = {}
        for name, column in spec.columns.items():
            if name in _CODES and column.names is None:
                made[name] = codes(extract, column.source, self._mapping.symbols).alias(name)
            else:
                made[name] = convert(extract, column, name, table, spec.date_format)
        frame = pl.DataFrame(made)
        if table == "daily":
            self._trading_days = frame["date"].unique().sort()
            frame = self._mend_levels(spec, frame)  # before days are left out: a jump is seen from both sides
        if "date" not in TABLES[table].columns:
            return frame
        inside = [pl.col("date") >= start] if start else []
        inside += [pl.col("date") <= end] if end else []
        return frame.filter(inside) if inside else frame

    def _without_drops(self, table: str, spec: TableMapping, extract: Extract) -> Extract:
        """Without the rows that the mapping drops, counted."""
        for drop in spec.drop:
            bad = extract[drop.column].cast(pl.String).str.contains(drop.matching).fill_null(False)
            if bad.any():
                why = f"rows whose {drop.column} matches {drop.matching} ({drop.why})"
                self._dropped[table][why] = int(bad.sum())
                extract = extract.keep(~bad)
        return extract

    def _finish_daily(self, spec: TableMapping, frame: pl.DataFrame) -> pl.DataFrame:
        """Step tables, and the count of what is missing."""
        if spec.steps and not _sorted_by_symbol(frame):
            frame = frame.sort("symbol", "date")
        for steps in spec.steps:
            known_steps = read_steps(steps, self._folder, self._mapping.symbols)
            value = step_values(frame, steps, known_steps, self._trading_days)
            known = frame[steps.into] if steps.into in frame.columns else None
            column = value if known is None else known.zip_with(known.is_not_null(), value)
            frame = frame.with_columns(column.alias(steps.into))
            self._derived["daily"] += [] if steps.into in self._derived["daily"] else [steps.into]
        for name in frame.columns:
            missing = frame[name].null_count()
            if missing:
                symbols = frame.filter(pl.col(name).is_null())["symbol"].n_unique()
                self._counted["daily"].append(f"daily.{name} is missing on {missing} rows of {symbols} symbols")
        return frame

    def _mend_levels(self, spec: TableMapping, frame: pl.DataFrame) -> pl.DataFrame:
        """Take out declared jumps of a factor's level: from the day on, times last value before ÷ value of the day."""
        for change in spec.level_changes:
            mine = pl.col("symbol").cast(pl.String) == change.symbol
            own = frame.filter(mine).sort("date")
            before, rest = own.filter(pl.col("date") < change.date), own.filter(pl.col("date") >= change.date)
            if before.is_empty() or rest.is_empty():
                continue
            if rest["date"][0] != change.date:
                raise DataError(
                    f"the mapping says that {change.symbol} changes its level on {change.date}, the file has no such "
                    "row: mend level_changes",
                    file=self._folder / spec.file,
                    column=change.column,
                )
            mended = pl.col(change.column) * (before[change.column][-1] / rest[change.column][0])
            later = mine & (pl.col("date") >= change.date)
            frame = frame.with_columns(pl.when(later).then(mended).otherwise(pl.col(change.column)))
            self._counted["daily"].append(
                f"daily.{change.column} of {change.symbol}: the jump of its level on {change.date} taken out, "
                f"{rest.height} rows"
            )
        return frame

    def _finish_members(self, spec: TableMapping, frame: pl.DataFrame) -> pl.DataFrame:
        """Open ends where the vendor has none; days before an index is complete cut off."""
        if "end_date" not in frame.columns:
            frame = frame.with_columns(end_date=pl.lit(None, dtype=pl.Date))
        for index, begin in spec.begin.items():
            mine = pl.col("index").cast(pl.String) == index
            over = frame.filter(mine & (pl.col("end_date") < begin)).height
            cut = frame.filter(mine & (pl.col("start_date") < begin)).height - over
            self._dropped["index_members"][f"intervals of {index} before it is complete on {begin}"] = over
            self._counted["index_members"].append(
                f"index_members: {cut} intervals of {index} begin on {begin}, not before"
            )
            frame = frame.filter(~mine | (pl.col("end_date") >= begin).fill_null(True)).with_columns(
                start_date=pl.when(mine).then(pl.max_horizontal("start_date", pl.lit(begin))).otherwise("start_date")
            )
        return frame

    def _priced_only(self, table: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of symbols that have prices; the others counted."""
        if self._priced is None:
            raise DataError(f"fetch daily before {table}: the mapping keeps only symbols with prices")
        has = frame["symbol"].cast(pl.String).is_in(list(self._priced))
        lost = frame.filter(~has)
        if lost.height:
            self._dropped[table][f"rows of {lost['symbol'].n_unique()} symbols without prices"] = lost.height
        return frame.filter(has)


def _sorted_by_symbol(frame: pl.DataFrame) -> bool:
    """Whether rows come by symbol, then date. Codes are an Enum in the order of text."""
    symbol, day = pl.col("symbol").to_physical(), pl.col("date")
    wrong = (symbol < symbol.shift(1)) | ((symbol == symbol.shift(1)) & (day < day.shift(1)))
    return not frame.select(wrong.any()).item()


def _key(mapping: Mapping) -> str:
    """Names the mapping's content."""
    return hashlib.sha256(mapping.model_dump_json().encode()).hexdigest()[:16]
